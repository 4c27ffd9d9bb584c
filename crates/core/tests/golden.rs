//! Bits that must never change by accident: published runs are replayed from a seed. If one of these fails, either the
//! numerics changed, which the changelog and every recorded result must then say, or a machine computes differently.

mod common;

use common::{bits, learn, pixels};
use rivalry_core::ops::{Exponent, PowerLoss, power_loss, rectified_power};
use rivalry_core::{Inputs, Kernels, Layer, Matrix, Random, Rates, Rule};

/// FNV-1a of 64 bits.
fn fnv(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// Of the little-endian bytes of floats.
fn fnv_of(values: &[f32]) -> u64 {
    fnv(values.iter().flat_map(|value| value.to_bits().to_le_bytes()))
}

#[test]
fn the_hash_is_fnv() {
    // The published values of the empty string and of "foob".
    assert_eq!(fnv(b"".iter().copied()), 0xcbf2_9ce4_8422_2325);
    assert_eq!(fnv(b"foob".iter().copied()), 0xdd12_0e79_0c25_12af);
}

#[test]
fn first_bits_of_every_stream() {
    // Worked out in Python from the published xoshiro256++ and SplitMix64 and the description in `random.rs`.
    let streams = [
        ("weights", 0, [0xecba_0b8e_4aef_9d0b, 0xb46d_52a1_3ab2_793e, 0xa952_6eac_bc95_b855]),
        ("order", 0, [0x9261_b1be_2189_3cf8, 0x728a_93d8_1c36_91ca, 0xc412_dd73_a8d5_f364]),
        ("order", 999, [0x47dd_5abb_2594_5e04, 0x9391_0593_da2c_33a5, 0x1376_b778_4de5_ea8d]),
        ("readout-weights", 0, [0x14ea_7917_c94c_4525, 0x2fa0_3df4_dc82_cfb5, 0x17d3_83ce_ba97_eeff]),
        ("readout-order", 7, [0x0573_eb02_788c_d272, 0x6b69_7146_4796_74c9, 0x18f2_f705_8f02_f9cc]),
        ("synthetic", 0, [0xa825_b445_900e_ed42, 0xa77a_d14c_b474_f09f, 0x80e9_0260_0c9c_96a5]),
    ];
    for (name, index, expected) in streams {
        let mut random = Random::keyed(1, name, index);
        let found = [random.next_u64(), random.next_u64(), random.next_u64()];
        assert_eq!(found, expected, "{name} {index}: {found:#018x?}");
    }
    assert_eq!(Random::keyed(u64::MAX, "weights", 0).next_u64(), 0x6031_f6c4_7e71_57ac);
}

#[test]
fn first_uniforms_and_normals() {
    let mut random = Random::keyed(1, "weights", 0);
    let uniforms = [random.uniform(), random.uniform()].map(f64::to_bits);
    assert_eq!(uniforms, [0x3fed_9741_71c9_5df4, 0x3fe6_8daa_5427_5650], "{uniforms:#018x?}");
    let mut random = Random::keyed(1, "weights", 0);
    let normals: [u64; 4] = std::array::from_fn(|_| random.normal().to_bits());
    assert_eq!(
        normals,
        [0xbfbc_627a_35d5_308d, 0x3fe5_448e_9f60_18fa, 0x3fd8_7d42_19f0_f839, 0xbfe4_3ed4_5dc0_c4f4],
        "{normals:#018x?}"
    );
    let mut random = Random::keyed(3, "weights", 0);
    let hash = fnv((0..100_000).flat_map(|_| random.normal().to_bits().to_le_bytes()));
    assert_eq!(hash, 0x5f23_50f1_0bbb_5742, "{hash:#018x}");
}

#[test]
fn an_order() {
    assert_eq!(Random::keyed(1, "order", 0).order(10), [2, 3, 1, 0, 8, 7, 9, 6, 4, 5]);
    assert_eq!(Random::keyed(1, "order", 1).order(10), [1, 9, 3, 8, 5, 2, 4, 7, 0, 6]);
    assert!(Random::keyed(1, "order", 0).order(0).is_empty());
}

/// Of the weights after learning, per norm p.
const HASHES: [(f64, u64); 5] = [
    (2.0, 0x9b92_6a1a_296c_5f27),
    (2.5, 0x2196_493a_d8cf_6feb),
    (3.0, 0x1284_446e_ff07_943d),
    (4.0, 0x066b_8310_33ed_26b2),
    (5.0, 0x94bd_118d_5294_eb1c),
];

#[test]
fn weights_after_learning() {
    for (p, expected) in HASHES {
        let layer = Layer::normal(50, 200, 1.0, &mut Random::keyed(1, "weights", 0)).unwrap();
        let bytes = pixels(1, 60 * 200);
        let inputs = Inputs::u8(&bytes, 200).unwrap();
        let order = Random::keyed(1, "order", 0).order(60).repeat(3);
        let found = learn(&layer, Rule::new(p, 7, 0.4).unwrap(), 10, &inputs, &order, Rates::Constant(0.04)).0;
        assert!(bits(&found) != bits(&layer.to_rows()));
        let hash = fnv_of(&found);
        assert_eq!(hash, expected, "p {p}: {hash:#018x}");
    }
}

#[test]
fn features_and_the_gradient_of_the_loss() {
    for kernels in Kernels::all() {
        for (exponent, expected) in [
            (4.5, [0x01bd_c5fd_2fc1_4333, 0x910c_ee6e_d378_5b60]),
            (4.3, [0xdabe_2882_e3ae_7dd9, 0xe1b9_289d_f7e3_2ba5]),
        ] {
            let mut random = Random::keyed(2, "synthetic", 0);
            let mut normals = || {
                let mut row = Matrix::zeros(1, 1600);
                row.row_mut(0).fill_with(|| 2.0 * random.normal() as f32);
                row
            };
            let (mut scores, mut sums, mut targets) = (normals(), normals(), Matrix::zeros(1, 1600));
            for (i, target) in targets.row_mut(0).iter_mut().enumerate() {
                *target = if (i / 16 + i % 16) % 3 == 0 { 1.0 } else { -1.0 };
            }
            let exponent = Exponent::new(exponent);
            rectified_power(kernels, &mut scores, 0..1, 0.37, exponent);
            power_loss(kernels, PowerLoss { beta: 0.7, m: 4.5, exponent }, &mut sums, &targets);
            let found = [scores, sums].map(|row| fnv_of(row.row(0)));
            assert_eq!(found, expected, "{}, {exponent:?}: {found:#018x?}", kernels.name());
        }
    }
}
