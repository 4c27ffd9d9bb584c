//! Patches against the cases of other programs and against their definition in f64.

mod cases;

use rivalry_core::{Compute, Inputs, Kernels, Layer, Matrix, Random};
use rivalry_nets::{
    Activation, ChannelOrder, Encoder, FilterHealth, ImageShape, PatchEncoder, PatchSample, PatchSpec, Pooled,
    Standardisation, Whitening, filter_health, k_means, random_filters, unit_filters,
};

const SHAPE: ImageShape = ImageShape { height: 9, width: 11, channels: 3, order: ChannelOrder::Planes };
const SPEC: PatchSpec = PatchSpec {
    shape: SHAPE,
    side: 3,
    stride: 1,
    activation: Activation::Triangle,
    cells: 2,
    pooled: Pooled::Mean,
    mirrored: false,
};

fn compute(threads: usize, kernels: &'static Kernels) -> Compute {
    Compute::new(Some(threads), kernels).unwrap()
}

#[test]
fn features_are_those_of_the_cases() {
    for case in cases::cases("patches") {
        let &[_, height, width, channels] = &case.shape("images")[..] else { panic!("{}", case.name) };
        let shape = ImageShape { height, width, channels, order: ChannelOrder::Pixels };
        let activation = match case.settings["activation"].as_str() {
            Some("triangle") => Activation::Triangle,
            Some(relu) => Activation::Relu { power_n: relu.strip_prefix("relu").unwrap().parse().unwrap() },
            None => panic!("{}", case.name),
        };
        let (side, stride, cells) = (case.size("patch"), case.size("stride"), case.size("pool"));
        let spec = PatchSpec { shape, side, stride, activation, cells, pooled: Pooled::Mean, mirrored: false };
        let &[filters, inputs] = &case.shape("filters")[..] else { panic!("{}", case.name) };
        let filters = Layer::from_rows(filters, inputs, &case.f32("filters")).unwrap();
        let whitening = Whitening::new(case.number("var_floor"), case.f32("mean"), &case.f32("whiten")).unwrap();
        let encoder = PatchEncoder::new(spec, filters, whitening).unwrap();
        let images = case.bytes("images").unwrap();
        let inputs = Inputs::u8(&images, shape.inputs()).unwrap();
        let features = encoder.features(&compute(2, Kernels::best()), &inputs).unwrap();
        case.assert_close("features", &features.to_rows(), 2e-5);
    }
}

fn images(count: usize) -> Vec<u8> {
    let mut random = Random::keyed(4, "images", 0);
    // Neighbours are alike, so that whitening has something to do.
    let mut value = 128.0;
    let next = |_| {
        value = (0.9 * (value - 128.0) + 30.0 * random.normal() + 128.0_f64).clamp(0.0, 255.0);
        value as u8
    };
    (0..count * SHAPE.inputs()).map(next).collect()
}

fn sample(images: &[u8], patches: usize) -> PatchSample {
    PatchSample::draw(images, SHAPE, SPEC.side, patches, &mut Random::keyed(4, "patches", 0)).unwrap()
}

/// The features of one image by plain loops in f64.
fn naive(spec: &PatchSpec, filters: &Layer, mean: &[f32], whiten: &[f32], image: &[u8]) -> Vec<f64> {
    let ImageShape { height, width, channels, .. } = spec.shape;
    let (side, inputs) = (spec.side, mean.len());
    let [rows, columns] = [height, width].map(|size| (size - side) / spec.stride + 1);
    let mut features = vec![0.0; spec.cells * spec.cells * filters.hidden()];
    let mut counts = vec![0.0; spec.cells * spec.cells];
    for row in 0..rows {
        for column in 0..columns {
            let mut patch = Vec::new();
            for i in 0..side {
                for j in 0..side {
                    for channel in 0..channels {
                        let at = (channel * height + row * spec.stride + i) * width + column * spec.stride + j;
                        patch.push(f64::from(image[at]));
                    }
                }
            }
            let average = patch.iter().sum::<f64>() / inputs as f64;
            let variance = patch.iter().map(|x| (x - average).powi(2)).sum::<f64>() / inputs as f64;
            let centred: Vec<f64> =
                patch.iter().zip(mean).map(|(x, m)| (x - average) / (variance + 10.0).sqrt() - f64::from(*m)).collect();
            let z: Vec<f64> = whiten
                .chunks_exact(inputs)
                .map(|w| w.iter().zip(&centred).map(|(w, x)| f64::from(*w) * x).sum())
                .collect();
            let norm = z.iter().map(|z| z * z).sum::<f64>().sqrt();
            let cosine = |filter| -> f64 {
                filters.row(filter).iter().zip(&z).map(|(&w, z): (&f32, &f64)| f64::from(w) * z / norm).sum()
            };
            let cosines: Vec<f64> = (0..filters.hidden()).map(cosine).collect();
            let distances: Vec<f64> = cosines.iter().map(|s| (2.0 - 2.0 * s).max(0.0).sqrt()).collect();
            let middle = distances.iter().sum::<f64>() / distances.len() as f64;
            let find = |place: usize, of: usize| {
                (0..spec.cells).find(|r| (r * of / spec.cells..(r + 1) * of / spec.cells).contains(&place)).unwrap()
            };
            let cell = find(row, rows) * spec.cells + find(column, columns);
            counts[cell] += 1.0;
            for filter in 0..filters.hidden() {
                features[cell * filters.hidden() + filter] += match spec.activation {
                    Activation::Triangle => (middle - distances[filter]).max(0.0),
                    Activation::Relu { power_n } => cosines[filter].max(0.0).powf(power_n),
                };
            }
        }
    }
    for (features, count) in features.chunks_exact_mut(filters.hidden()).zip(counts) {
        for feature in features {
            *feature /= count;
            if spec.pooled == Pooled::Root {
                *feature = feature.sqrt();
            }
        }
    }
    features
}

#[test]
fn features_are_those_of_the_definition_in_f64() {
    let compute = compute(2, Kernels::best());
    let images = images(12);
    let sample = sample(&images, 3000);
    let whitening = Whitening::fit(&compute, &sample, 10.0, 0.1).unwrap();
    let relu = Activation::Relu { power_n: 4.5 };
    let mut random = Random::keyed(4, "filters", 0);
    for (filters, spec) in [
        (7, SPEC),
        (40, PatchSpec { activation: relu, pooled: Pooled::Root, cells: 3, ..SPEC }),
        (33, PatchSpec { stride: 2, cells: 1, ..SPEC }),
        (16, PatchSpec { cells: 7, ..SPEC }),
        (16, PatchSpec { mirrored: true, ..SPEC }),
    ] {
        // Of any length: the encoder scales them.
        let filters = Layer::normal(filters, 27, 2.0, &mut random).unwrap();
        let encoder = PatchEncoder::new(spec, filters.clone(), whitening.clone()).unwrap();
        let filters = unit_filters(&filters).unwrap();
        assert_eq!(unit_filters(&filters).unwrap().to_rows(), filters.to_rows());
        let state = encoder.state();
        let (mean, whiten) =
            (state.f32("patch_mean", &[27]).unwrap(), state.f32("patch_whitening", &[27, 27]).unwrap());
        let inputs = Inputs::u8(&images, SHAPE.inputs()).unwrap();
        let features = encoder.features(&compute, &inputs).unwrap();
        for (number, image) in images.chunks_exact(SHAPE.inputs()).enumerate() {
            let mut expected = naive(&spec, &filters, mean, whiten, image);
            if spec.mirrored {
                let mirror: Vec<u8> =
                    image.chunks_exact(SHAPE.width).flat_map(|row| row.iter().rev().copied()).collect();
                let others = naive(&spec, &filters, mean, whiten, &mirror);
                expected.iter_mut().zip(others).for_each(|(one, other)| *one = (*one + other) / 2.0);
            }
            for (found, expected) in features.row(number).iter().zip(expected) {
                assert!((f64::from(*found) - expected).abs() <= 5e-6, "{spec:?}: {found} for {expected}");
            }
        }
    }
}

#[test]
fn whitened_patches_have_the_covariance_that_is_left_and_unit_length() {
    let compute = compute(2, Kernels::best());
    let images = images(12);
    let sample = sample(&images, 4000);
    let whitening = Whitening::fit(&compute, &sample, 10.0, 0.1).unwrap();
    let patches = whitening.apply(&compute, &sample).unwrap();
    for row in 0..patches.rows() {
        let length: f64 = patches.row(row).iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        assert!((length - 1.0).abs() <= 1e-5, "{length}");
    }
    // Z² (C + ε 1) = 1.
    let mut encoder = rivalry_nets::State::default();
    let layer = random_filters(&patches, 1, &mut Random::keyed(4, "filters", 0)).unwrap();
    encoder.tensors.extend(PatchEncoder::new(SPEC, layer, whitening).unwrap().state().tensors);
    let z: Vec<f64> = encoder.f32("patch_whitening", &[27, 27]).unwrap().iter().map(|&z| f64::from(z)).collect();
    let rows: Vec<Vec<f64>> = sample
        .pixels()
        .chunks_exact(27)
        .map(|patch| {
            let mean = patch.iter().map(|&x| f64::from(x)).sum::<f64>() / 27.0;
            let variance = patch.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / 27.0;
            patch.iter().map(|&x| (f64::from(x) - mean) / (variance + 10.0).sqrt()).collect()
        })
        .collect();
    let mean = |i: usize| rows.iter().map(|row| row[i]).sum::<f64>() / rows.len() as f64;
    let means: Vec<f64> = (0..27).map(mean).collect();
    let covariance = |i: usize, j: usize| {
        let product = rows.iter().map(|row| row[i] * row[j]).sum::<f64>() / rows.len() as f64;
        product - means[i] * means[j] + if i == j { 0.1 } else { 0.0 }
    };
    let product = |a: &[f64], b: &[f64]| -> Vec<f64> {
        (0..27 * 27).map(|at| (0..27).map(|k| a[at / 27 * 27 + k] * b[k * 27 + at % 27]).sum()).collect()
    };
    let covariance: Vec<f64> = (0..27 * 27).map(|at| covariance(at / 27, at % 27)).collect();
    for (at, value) in product(&product(&z, &z), &covariance).iter().enumerate() {
        let expected = if at / 27 == at % 27 { 1.0 } else { 0.0 };
        assert!((value - expected).abs() <= 1e-4, "{at}: {value}");
    }
}

#[test]
fn the_bits_are_the_same_on_every_instruction_set_and_number_of_threads() {
    let images = images(7);
    let all = |compute: &Compute| {
        let sample = sample(&images, 1000);
        let whitening = Whitening::fit(compute, &sample, 10.0, 0.1).unwrap();
        let patches = whitening.apply(compute, &sample).unwrap();
        let filters = k_means(compute, &patches, 37, 4, &mut Random::keyed(4, "filters", 0)).unwrap();
        let health = filter_health(compute, &filters, &patches).unwrap();
        let encoder = PatchEncoder::new(SPEC, filters, whitening).unwrap();
        let inputs = Inputs::u8(&images, SHAPE.inputs()).unwrap();
        let mut features = encoder.features(compute, &inputs).unwrap();
        let standardisation = Standardisation::fit(compute, &Inputs::matrix(&features).unwrap()).unwrap();
        standardisation.apply(compute, &mut features).unwrap();
        let encoder = encoder.with_standardisation(standardisation).unwrap();
        assert_eq!(encoder.features(compute, &inputs).unwrap().to_rows(), features.to_rows());
        let restored = PatchEncoder::from_state(SPEC, 37, 10.0, &encoder.state()).unwrap();
        assert_eq!(restored.features(compute, &inputs).unwrap().to_rows(), features.to_rows());
        assert_eq!(restored.state(), encoder.state());
        (encoder.state(), features.to_rows(), health)
    };
    let expected = all(&compute(1, Kernels::named("portable").unwrap()));
    for kernels in Kernels::all() {
        for threads in [1, 2, 3] {
            assert!(all(&compute(threads, kernels)) == expected, "{} x {threads}", kernels.name());
        }
    }
}

#[test]
fn k_means_finds_clusters_and_the_health_of_filters_is_counted() {
    let compute = compute(2, Kernels::best());
    let mut random = Random::keyed(4, "clusters", 0);
    let mut patches = Matrix::zeros(300, 3);
    for (i, row) in patches.rows_mut().enumerate() {
        row.fill_with(|| 0.01 * random.normal() as f32);
        row[i % 3] += 1.0;
    }
    let filters = k_means(&compute, &patches, 3, 20, &mut Random::keyed(4, "filters", 0)).unwrap();
    for axis in 0..3 {
        let best = (0..3).map(|filter| filters.row(filter)[axis]).fold(0.0, f32::max);
        assert!(best > 0.999, "{best}");
    }
    let health = filter_health(&compute, &filters, &patches).unwrap();
    assert_eq!(health, FilterHealth { dead: 0, duplicates: 0 });
    let rows = [1.0, 0.0, 0.0, 2.0, 0.02, 0.0, 0.0, 0.0, 0.0, -1.0, -1.0, -1.0];
    let filters = unit_filters(&Layer::from_rows(4, 3, &rows).unwrap()).unwrap();
    assert_eq!(filters.row(2), [0.0; 3], "a filter of zeros has no length to scale");
    let mut patches = Matrix::zeros(2, 3);
    patches.row_mut(0)[0] = 1.0;
    patches.row_mut(1)[1] = 1.0;
    let health = filter_health(&compute, &filters, &patches).unwrap();
    assert_eq!(health, FilterHealth { dead: 2, duplicates: 1 });
    assert_eq!(
        k_means(&compute, &patches, 3, 1, &mut random).unwrap_err().to_string(),
        "the number of filters = 3 is not from 1 to 2"
    );
}

#[test]
fn what_does_not_fit_is_refused_with_a_sentence() {
    let compute = compute(1, Kernels::best());
    let images = images(3);
    let sample = sample(&images, 300);
    let whitening = Whitening::fit(&compute, &sample, 10.0, 0.1).unwrap();
    let patches = whitening.apply(&compute, &sample).unwrap();
    let filters = random_filters(&patches, 5, &mut Random::keyed(4, "filters", 0)).unwrap();
    let error =
        |spec, filters: &Layer| PatchEncoder::new(spec, filters.clone(), whitening.clone()).unwrap_err().to_string();
    assert_eq!(error(PatchSpec { stride: 0, ..SPEC }, &filters), "the stride = 0 is not from 1 to 32768");
    assert_eq!(error(PatchSpec { side: 2, ..SPEC }, &filters), "a patch has 12 values, the filters 27");
    assert_eq!(error(PatchSpec { cells: 8, ..SPEC }, &filters), "the number of cells in a row = 8 is not from 1 to 7");
    let relu = Activation::Relu { power_n: 0.0 };
    assert_eq!(error(PatchSpec { activation: relu, ..SPEC }, &filters), "power_n = 0 is not a finite number above 0");
    assert!(Whitening::fit(&compute, &sample, 0.0, 0.1).is_err());
    assert!(Whitening::fit(&compute, &sample, 10.0, f64::NAN).is_err());
    assert!(Whitening::new(10.0, vec![0.0; 2], &[0.0; 3]).is_err());
    let encoder = PatchEncoder::new(SPEC, filters, whitening.clone()).unwrap();
    let floats = vec![0.5; SHAPE.inputs()];
    let error = encoder.features(&compute, &Inputs::f32(&floats, SHAPE.inputs()).unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "patches are cut out of pixels of 8 bits, these samples are floats");
    let mut state = encoder.state();
    state.tensors.remove("patch_mean");
    let error = PatchEncoder::from_state(SPEC, 5, 10.0, &state).unwrap_err();
    assert_eq!(error.to_string(), "the state has no tensor `patch_mean`");
}
