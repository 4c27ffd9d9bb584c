//! The screened engine against the dense one: the same bits, whatever the rows and the examples are.

mod common;

use common::{bits, layer, normals, pixels};
use rivalry_core::{Compute, Engine, Error, Inputs, Kernels, Layer, Learner, Random, Rates, Rule};

/// What came of some calls, each one pass over all samples in their order; the weights after them, and how often each unit
/// won in the last.
type Learned = (Vec<Result<(), Error>>, Vec<u32>, Vec<u32>);

fn learn(
    layer: &Layer,
    rule: Rule,
    batch: usize,
    inputs: &Inputs<'_>,
    engines: &[Engine],
    compute: &Compute,
) -> Learned {
    let mut learner = Learner::new(layer.clone(), rule, batch, compute).unwrap();
    let order: Vec<u32> = (0..inputs.samples() as u32).collect();
    let mut outcomes = Vec::new();
    for &engine in engines {
        learner = learner.with_engine(engine);
        outcomes.push(learner.learn(compute, inputs, &order, Rates::Constant(0.03)));
    }
    (outcomes, bits(&learner.layer().to_rows()), learner.wins())
}

/// Every instruction set, the best first, with each of these numbers of threads.
fn all<const N: usize>(threads: [usize; N]) -> Vec<Compute> {
    let with = |kernels| threads.map(|threads| Compute::new(Some(threads), kernels).unwrap());
    Kernels::all().into_iter().flat_map(with).collect()
}

/// Asserts that both engines learn the same, on every instruction set and with some numbers of threads; returns what.
fn assert_same(what: &str, layer: &Layer, rule: Rule, batch: usize, inputs: &Inputs<'_>, all: &[Compute]) -> Learned {
    let expected = learn(layer, rule, batch, inputs, &[Engine::Dense], &all[0]);
    // More ranks than 32 are not screened.
    let engine = if rule.k() <= 32 { Engine::Screened } else { Engine::Auto };
    for compute in all {
        let found = learn(layer, rule, batch, inputs, &[engine], compute);
        let (kernels, threads) = (compute.kernels().name(), compute.threads());
        assert!(found == expected, "{what}: {kernels} with {threads} threads, rule {rule:?}");
    }
    expected
}

fn rules() -> Vec<Rule> {
    let rules = [(1.0, 2, 0.4), (2.0, 2, 0.2), (2.5, 3, 0.3), (3.0, 7, 0.4), (4.0, 3, 0.0), (5.0, 2, 0.1)];
    rules.into_iter().map(|(p, k, delta)| Rule::new(p, k, delta).unwrap()).collect()
}

fn random_layer(hidden: usize, inputs: usize) -> Layer {
    Layer::normal(hidden, inputs, 1.0, &mut Random::keyed(1, "weights", 0)).unwrap()
}

/// Strokes on black: a fifth of the pixels, half of them full, as in MNIST.
fn strokes(samples: usize) -> Vec<u8> {
    let mut random = Random::keyed(2, "synthetic", 0);
    let mut images = vec![0; samples * 784];
    for image in images.chunks_exact_mut(784) {
        let mut at = 0;
        while at < 784 {
            at += 8 + (random.next_u64() % 48) as usize;
            for pixel in image.iter_mut().skip(at).take(3 + (random.next_u64() % 8) as usize) {
                *pixel = (random.next_u64() % 512).min(255) as u8;
            }
        }
    }
    images
}

/// Smooth bright fields with a mean of their own, no pixel empty, 32 · 32 · 3, as in CIFAR-10.
fn photographs(samples: usize) -> Vec<u8> {
    let mut random = Random::keyed(3, "synthetic", 0);
    let mut images = Vec::with_capacity(samples * 3072);
    for _ in 0..samples {
        let mean = 120.0 + 40.0 * random.normal();
        let mut value = mean;
        for _ in 0..3072 {
            value = mean + 0.95 * (value - mean) + 18.0 * random.normal();
            images.push(value.clamp(1.0, 255.0) as u8);
        }
    }
    images
}

#[test]
fn random_layers_learn_the_same_whatever_their_shape() {
    let all = all([1, 2, 3, 7]);
    for (hidden, inputs, batch) in
        [(9, 1, 3), (16, 3, 5), (17, 64, 7), (40, 65, 12), (130, 100, 20), (300, 784, 25), (33, 1100, 4)]
    {
        let images = pixels(1, 6 * batch * inputs);
        let images = Inputs::u8(&images, inputs).unwrap();
        for rule in rules() {
            let what = format!("{hidden} x {inputs}");
            let learned = assert_same(&what, &random_layer(hidden, inputs), rule, batch, &images, &all);
            assert!(learned.0 == [Ok(())] && learned.2.iter().sum::<u32>() as usize == images.samples());
        }
    }
}

#[test]
fn images_of_both_kinds_with_both_scales_are_learned_the_same() {
    let all = all([1, 3]);
    let (strokes, photographs) = (strokes(60), photographs(24));
    for (what, images, inputs, hidden, batch) in
        [("strokes", &strokes, 784, 200, 20), ("photographs", &photographs, 3072, 60, 12)]
    {
        let as_it_is = Inputs::u8(images, inputs).unwrap();
        let scales = as_it_is.unit_length_scales();
        let both = [as_it_is, as_it_is.with_scales(&scales).unwrap()];
        for (rule, images) in rules().into_iter().flat_map(|rule| both.map(|images| (rule, images))) {
            assert_same(what, &random_layer(hidden, inputs), rule, batch, &images, &all);
        }
    }
}

/// Layers of hard rows, [12 × 40] and more.
fn hard_layers() -> Vec<(&'static str, Layer)> {
    const INPUTS: usize = 40;
    let normal = normals(4, INPUTS);
    let row = |value: &dyn Fn(usize, usize) -> f32| {
        let rows: Vec<Vec<f32>> = (0..48).map(|unit| (0..INPUTS).map(|i| value(unit, i)).collect()).collect();
        layer(&rows.iter().map(Vec::as_slice).collect::<Vec<_>>())
    };
    let ulps = |value: f32, steps: usize| f32::from_bits(value.to_bits() + steps as u32);
    vec![
        ("equal units", row(&|_, i| normal[i])),
        ("1 ulp apart", row(&|unit, i| if i == unit % INPUTS { ulps(normal[i], 1) } else { normal[i] })),
        ("a few ulps apart", row(&|unit, i| ulps(normal[i].abs(), unit % 5))),
        ("huge and tiny", row(&|unit, i| normal[i] * [1.0, 1e-30, 1e10, 1e-12, 1e-3][unit % 5])),
        ("tiny", row(&|unit, i| normal[(i + unit) % INPUTS] * 1e-30)),
        ("subnormal", row(&|unit, i| normal[(i + unit) % INPUTS] * 1e-40)),
        ("rows of zeros", row(&|unit, i| if unit % 3 == 0 { normal[i] } else { 0.0 })),
        ("both zeros", row(&|unit, _| if unit % 2 == 0 { 0.0 } else { -0.0 })),
        ("one-hot", row(&|unit, i| if i == unit % INPUTS { 1.0 } else { 0.0 })),
        ("one large", row(&|unit, i| if i == unit % INPUTS { 100.0 } else { normal[i] * 1e-3 })),
        ("alternating", row(&|unit, i| if (unit + i) % 2 == 0 { 1.0 } else { -1.0 })),
        ("all negative", row(&|unit, i| -normal[(i + unit) % INPUTS].abs())),
        ("equal pairs", row(&|unit, i| normal[(i * 7 + unit / 2) % INPUTS])),
    ]
}

/// Constant, full, blank, one-pixel and ordinary images, [24 × 40].
fn hard_images() -> Vec<u8> {
    let mut images = pixels(5, 24 * 40);
    for (image, of) in images.chunks_exact_mut(40).zip(0_u8..).take(16) {
        image.fill([77, 255, 0, 1][usize::from(of) % 4]);
        if of >= 8 {
            image.fill(0);
            image[usize::from(of) * 5 % 40] = if of % 2 == 0 { 255 } else { 1 };
        }
    }
    images
}

#[test]
fn hard_rows_and_hard_images_are_learned_the_same() {
    let all = all([1, 2, 3, 7]);
    let images = hard_images();
    let images = Inputs::u8(&images, 40).unwrap();
    for (what, layer) in hard_layers() {
        for rule in rules() {
            assert_same(what, &layer, rule, 8, &images, &all);
        }
    }
}

#[test]
fn rows_of_1e30_stay_where_they_lose_and_end_in_the_same_error_where_they_win() {
    let all = all([1, 2]);
    let some_empty = pixels(6, 24 * 40);
    let none_empty: Vec<u8> = some_empty.iter().map(|pixel| pixel | 1).collect();
    let mut rows = normals(7, 20 * 40);
    rows[5 * 40..6 * 40].fill(-1e30);
    rows[9 * 40..10 * 40].fill(-3e38);
    let losing = Layer::from_rows(20, 40, &rows).unwrap();
    rows[5 * 40..6 * 40].fill(1e30);
    let winning = Layer::from_rows(20, 40, &rows).unwrap();
    for rule in rules() {
        for (images, full) in [(&some_empty, false), (&none_empty, true)] {
            let images = Inputs::u8(images, 40).unwrap();
            let what = format!("rows of 1e30, p {}", rule.p());
            assert_eq!(assert_same(&what, &losing, rule, 8, &images, &all).0, [Ok(())]);
            let outcome = assert_same(&what, &winning, rule, 8, &images, &all).0;
            // An infinite w' times an empty pixel is NaN, which is never ranked.
            let ranked = rule.p() == 2.0 || (rule.p() > 2.0 && full);
            assert_eq!(outcome == [Err(Error::Overflow { minibatch: 0 })], ranked, "{what}: {outcome:?}");
        }
    }
}

#[test]
fn ranks_from_2_to_all_units_are_learned_the_same() {
    let all = all([1, 3, 7]);
    let images = pixels(8, 30 * 70);
    let images = Inputs::u8(&images, 70).unwrap();
    for (hidden, ks) in [(2, vec![2]), (5, vec![2, 5]), (13, vec![13]), (40, vec![31, 32, 33, 40])] {
        for k in ks {
            for p in [2.0, 3.0] {
                let rule = Rule::new(p, k, 0.4).unwrap();
                assert_same(&format!("k {k} of {hidden}"), &random_layer(hidden, 70), rule, 6, &images, &all);
            }
        }
    }
}

#[test]
fn long_runs_change_course_and_engine_between_calls_and_learn_the_same() {
    let all = all([2]);
    // Units that are equal at first go to the dense engine within two minibatches, and come back within 128 more.
    let images = pixels(9, 3 * 140 * 20);
    let images = Inputs::u8(&images, 20).unwrap();
    let row = normals(10, 20);
    let (equal, unlike) = (layer(&[&row[..]; 40]), random_layer(60, 20));
    use Engine::{Auto, Dense, Screened};
    for (what, layer) in [("equal units", equal), ("random units", unlike)] {
        for (p, k) in [(2.0, 2), (2.5, 2), (3.0, 7)] {
            let rule = Rule::new(p, k, 0.4).unwrap();
            let expected =
                learn(&layer, rule, 3, &images, &[Dense; 4], &Compute::new(Some(1), Kernels::best()).unwrap());
            for compute in &all {
                for engines in [[Screened; 4], [Screened, Dense, Auto, Screened]] {
                    let found = learn(&layer, rule, 3, &images, &engines, compute);
                    let kernels = compute.kernels().name();
                    assert!(found == expected, "{what}: {kernels}, {engines:?}, rule {rule:?}");
                }
            }
        }
    }
}

#[test]
fn floats_are_not_screened_and_pixels_may_follow_them() {
    let (compute, order) = (Compute::new(Some(2), Kernels::best()).unwrap(), (0..20).collect::<Vec<u32>>());
    let (bytes, values) = (pixels(11, 20 * 30), normals(12, 20 * 30));
    let (images, floats) = (Inputs::u8(&bytes, 30).unwrap(), Inputs::f32(&values, 30).unwrap());
    for rule in rules() {
        let run = |engine: Engine, inputs: &[Inputs<'_>]| {
            let layer = random_layer(50, 30);
            let mut learner = Learner::new(layer, rule, 10, &compute).unwrap().with_engine(engine);
            let outcomes: Vec<_> =
                inputs.iter().map(|inputs| learner.learn(&compute, inputs, &order, Rates::Constant(0.1))).collect();
            (outcomes, bits(&learner.layer().to_rows()))
        };
        let dense = run(Engine::Dense, &[images, floats, images]);
        assert_eq!(dense.0, [Ok(()), Ok(()), Ok(())]);
        assert_eq!(run(Engine::Auto, &[images, floats, images]), dense);
        let (outcomes, weights) = run(Engine::Screened, &[images, floats, images]);
        let refused = Error::Engine { what: "inputs that are floats".into() };
        assert_eq!(outcomes, [Ok(()), Err(refused), Ok(())]);
        // Nothing was learned from the floats.
        assert_eq!(weights, run(Engine::Dense, &[images, images]).1);
    }
}
