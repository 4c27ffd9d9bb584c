//! Whole minibatches to the bit of the specification: every norm, both kinds of inputs, blocks and tiles and their edges.

mod common;

use common::{bits, learn, normals, pixels, spec};
use rivalry_core::{Inputs, Layer, Random, Rates, Rule};

struct Case {
    hidden: usize,
    inputs: usize,
    batch: usize,
    rule: Rule,
}

fn case(hidden: usize, inputs: usize, batch: usize, p: f64, k: usize, delta: f64) -> Case {
    Case { hidden, inputs, batch, rule: Rule::new(p, k, delta).unwrap() }
}

fn cases() -> Vec<Case> {
    let mut cases = vec![
        case(20, 49, 10, 2.0, 2, 0.4),
        // More than two blocks of 96 units.
        case(200, 31, 12, 3.0, 7, 0.4),
        // More examples than are staged at once (8), rows of 20 blocks.
        case(10, 20_000, 19, 2.0, 3, 0.2),
        // Rows that would be a multiple of 4096 bytes apart.
        case(12, 1024, 5, 3.0, 2, 0.3),
        case(12, 2048, 5, 4.0, 12, 0.3),
        case(5, 7, 1, 5.0, 5, 1.5),
        case(2, 1, 1, 1.0, 2, 0.0),
        case(9, 33, 6, 1.0, 3, 0.7),
        case(9, 33, 6, 1.5, 3, 0.7),
        case(9, 33, 40, 2.5, 3, 0.7),
        case(9, 33, 40, 6.0, 3, 0.7),
        case(300, 5, 3, 3.3, 299, 0.4),
    ];
    // The edges of vectors and of the tile of four vectors.
    cases.extend([15, 16, 17, 47, 48, 49, 63, 64, 65, 79, 80, 81].map(|inputs| case(7, inputs, 4, 3.0, 2, 0.4)));
    cases
}

#[test]
fn weights_have_the_bits_of_the_specification() {
    for (seed, case) in cases().iter().enumerate() {
        let Case { hidden, inputs, batch, rule } = case;
        let minibatches = 3;
        let samples = minibatches * batch;
        let layer = Layer::normal(*hidden, *inputs, 1.0, &mut Random::keyed(seed as u64, "weights", 0)).unwrap();
        let bytes = pixels(seed as u64, samples * inputs);
        let floats = normals(seed as u64 + 100, samples * inputs);
        // Scales of every kind, a 0 among them, on examples that are not blank.
        let scales: Vec<f32> = (0..samples).map(|sample| (sample % 5) as f32 * 0.3).collect();
        let pixels = Inputs::u8(&bytes, *inputs).unwrap();
        let numbers = Inputs::f32(&floats, *inputs).unwrap();
        let unit_length = pixels.unit_length_scales();
        let views = [pixels, pixels.with_scales(&unit_length).unwrap(), numbers, numbers.with_scales(&scales).unwrap()];
        let as_floats: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte)).collect();
        let order = Random::keyed(seed as u64, "order", 0).order(samples);
        let rates: Vec<f32> = (0..minibatches).map(|i| 0.05 / (i + 1) as f32).collect();
        for (view, elements) in views.iter().zip([&as_floats, &as_floats, &floats, &floats]) {
            let mut expected = layer.to_rows();
            for (order, rate) in order.chunks_exact(*batch).zip(&rates) {
                let example = |sample: &u32| &elements[*sample as usize * inputs..][..*inputs];
                let minibatch = spec::Minibatch {
                    examples: order.iter().map(example).collect(),
                    scales: order.iter().map(|sample| view.scale(*sample as usize)).collect(),
                };
                spec::minibatch(rule, *inputs, &mut expected, &minibatch, *rate);
            }
            let found = learn(&layer, *rule, *batch, view, &order, Rates::PerMinibatch(&rates)).0;
            assert!(bits(&found) == bits(&expected), "{rule:?}, {hidden} units, {inputs} inputs, batch {batch}");
        }
    }
}
