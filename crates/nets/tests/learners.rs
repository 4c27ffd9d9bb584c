//! What every learner promises: the same bits on every instruction set and number of threads, a state that continues with
//! the same bits, and the bits that earlier versions gave.

use rivalry_core::{Compute, Engine, Inputs, Kernels, Layer, Matrix, Random, Rule};
use rivalry_nets::{
    Backprop, BackpropSpec, Encoder, EquilibriumPropagation, EquilibriumSpec, FastLearner, FastSpec, FeatureSpec,
    HStarOf, Head, Labelled, LayerEncoder, Learner, Microcircuit, MicrocircuitSpec, Readout, ReadoutSpec, SlowLearner,
    SlowSpec, State, Tensor, Values, mean_largest_current,
};

const SAMPLES: usize = 70;
const INPUTS: usize = 30;
/// Two whole blocks of units and a part of a third.
const HIDDEN: usize = 190;
const CLASSES: usize = 3;
const BATCH: usize = 16;
const POWER: Head = Head::Power { beta: 0.7, loss_m: 6.0 };

/// Random pixels with random labels, unit length, and the features of a random layer.
struct Data {
    pixels: Vec<u8>,
    scales: Vec<f32>,
    labels: Vec<u8>,
    features: Matrix,
    current_scale: f64,
}

impl Data {
    fn new(compute: &Compute) -> Data {
        let mut random = Random::keyed(5, "synthetic", 0);
        let pixels: Vec<u8> = (0..SAMPLES * INPUTS).map(|_| (random.next_u64() >> 56) as u8).collect();
        let labels = (0..SAMPLES).map(|_| (random.next_u64() % CLASSES as u64) as u8).collect();
        let inputs = Inputs::u8(&pixels, INPUTS).unwrap();
        let scales = inputs.unit_length_scales();
        let inputs = inputs.with_scales(&scales).unwrap();
        let layer = Layer::normal(600, INPUTS, 0.3, &mut Random::keyed(5, "weights", 0)).unwrap();
        let current_scale = mean_largest_current(compute, &layer, &inputs).unwrap();
        let encoder = LayerEncoder::new(layer, FeatureSpec { power_n: 4.5, current_scale }).unwrap();
        let features = encoder.features(compute, &inputs).unwrap();
        Data { pixels, scales, labels, features, current_scale }
    }

    fn pixels(&self) -> Labelled<'_> {
        let inputs = Inputs::u8(&self.pixels, INPUTS).unwrap().with_scales(&self.scales).unwrap();
        Labelled { inputs, labels: &self.labels }
    }

    fn features(&self) -> Labelled<'_> {
        Labelled { inputs: Inputs::matrix(&self.features).unwrap(), labels: &self.labels }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    /// The fast rule, with this p and this balance.
    Fast(f64, Option<f32>),
    /// The slow dynamics, with this p and this inhibition.
    Slow(f64, f64),
    Readout,
    Backprop(Head, Vec<usize>),
    Equilibrium(EquilibriumSpec),
    Microcircuit(MicrocircuitSpec),
}

fn kinds() -> Vec<Kind> {
    vec![
        Kind::Fast(2.0, None),
        Kind::Fast(3.0, None),
        Kind::Fast(3.0, Some(1.0)),
        Kind::Slow(3.0, 0.9),
        Kind::Slow(2.5, 1.0),
        Kind::Readout,
        Kind::Backprop(POWER, vec![HIDDEN]),
        Kind::Backprop(Head::Softmax, vec![HIDDEN]),
        Kind::Backprop(POWER, vec![HIDDEN, 90]),
        Kind::Backprop(Head::Softmax, vec![50, HIDDEN, 170]),
        Kind::Equilibrium(EquilibriumSpec { batch: BATCH, ..EquilibriumSpec::ours(INPUTS, &[90], CLASSES).unwrap() }),
        Kind::Equilibrium(EquilibriumSpec {
            batch: BATCH,
            tolerance: 0.01,
            ..EquilibriumSpec::paper(INPUTS, &[90, 50], CLASSES).unwrap()
        }),
        Kind::Microcircuit(MicrocircuitSpec {
            batch: BATCH,
            ..MicrocircuitSpec::ours(INPUTS, &[90], CLASSES).unwrap()
        }),
        Kind::Microcircuit(MicrocircuitSpec {
            batch: BATCH,
            average_after: Some(2),
            ..MicrocircuitSpec::ours(INPUTS, &[90, 50], CLASSES).unwrap()
        }),
    ]
}

fn learner(kind: &Kind, seed: u64, compute: &Compute) -> Box<dyn Learner> {
    let mut random = Random::keyed(seed, "weights", 0);
    match kind {
        Kind::Fast(p, balance) => {
            let rule = Rule::new(*p, 3, 0.4).unwrap().with_balance(*balance).unwrap();
            let engine = Engine::Auto;
            let spec = FastSpec { inputs: INPUTS, hidden: HIDDEN, rule, batch: BATCH, init_sigma: 1.0, engine };
            Box::new(FastLearner::new(spec, &mut random).unwrap())
        }
        Kind::Slow(p, w_inh) => {
            let (inputs, hidden, h_star_of) = (INPUTS, HIDDEN, HStarOf::Max);
            let (p, w_inh, delta, h_star) = (*p, *w_inh, 0.4, 0.5);
            let spec = SlowSpec { inputs, hidden, p, delta, w_inh, h_star, h_star_of, batch: BATCH, init_sigma: 1.0 };
            Box::new(SlowLearner::new(spec, &mut random).unwrap())
        }
        Kind::Readout => {
            let mut random = Random::keyed(seed, "readout-weights", 0);
            let head = Head::Power { beta: 0.1, loss_m: 4.0 };
            let spec = ReadoutSpec { inputs: 600, classes: CLASSES, head, batch: BATCH, init_sigma: 0.01 };
            Box::new(Readout::new(spec, &mut random, compute).unwrap())
        }
        Kind::Backprop(head, hidden) => {
            let (head, hidden) = (*head, hidden.clone());
            let spec = BackpropSpec { inputs: INPUTS, hidden, classes: CLASSES, head, batch: BATCH };
            Box::new(Backprop::new(spec, &mut random, compute).unwrap())
        }
        Kind::Equilibrium(spec) => Box::new(EquilibriumPropagation::new(spec.clone(), &mut random, compute).unwrap()),
        Kind::Microcircuit(spec) => Box::new(Microcircuit::new(spec.clone(), &mut random, compute).unwrap()),
    }
}

/// Learns for some epochs and returns how many samples are then told wrongly.
fn learn(kind: &Kind, learner: &mut dyn Learner, compute: &Compute, epochs: std::ops::Range<u32>) -> Option<usize> {
    let data = Data::new(compute);
    let data = if *kind == Kind::Readout { data.features() } else { data.pixels() };
    for epoch in epochs {
        let order = Random::keyed(2, "readout-order", epoch).order(SAMPLES);
        learner.epoch(compute, &data, &order, 1e-2).unwrap();
    }
    learner.classifier().map(|classifier| classifier.errors(compute, &data).unwrap())
}

#[test]
fn the_bits_are_the_same_on_every_instruction_set_and_number_of_threads() {
    for kind in kinds() {
        let trained = |threads, kernels| {
            let compute = Compute::new(Some(threads), kernels).unwrap();
            let mut learner = learner(&kind, 2, &compute);
            let errors = learn(&kind, &mut *learner, &compute, 0..3);
            (learner.state(), learner.diagnostics(), errors)
        };
        let expected = trained(1, Kernels::named("portable").unwrap());
        for kernels in Kernels::all() {
            for threads in [1, 2, 3, 5] {
                assert!(trained(threads, kernels) == expected, "{kind:?} on {} x {threads}", kernels.name());
            }
        }
    }
}

#[test]
fn a_restored_state_continues_with_the_same_bits() {
    let [two, three] = [2, 3].map(|threads| Compute::new(Some(threads), Kernels::best()).unwrap());
    for kind in kinds() {
        let mut whole = learner(&kind, 2, &two);
        learn(&kind, &mut *whole, &two, 0..3);
        let halfway = whole.state();
        learn(&kind, &mut *whole, &two, 3..5);
        // Another start and another number of threads.
        let mut resumed = learner(&kind, 9, &three);
        learn(&kind, &mut *resumed, &three, 0..1);
        assert!(resumed.state() != halfway, "{kind:?}");
        resumed.restore(&halfway).unwrap();
        assert!(resumed.state() == halfway, "{kind:?}");
        assert_eq!(learn(&kind, &mut *resumed, &three, 3..5), learn(&kind, &mut *whole, &two, 5..5));
        assert!(resumed.state() == whole.state(), "{kind:?}");
        assert_eq!(resumed.diagnostics(), whole.diagnostics());
    }
}

#[test]
fn a_state_of_another_learner_is_refused_and_changes_nothing() {
    let compute = Compute::new(Some(2), Kernels::best()).unwrap();
    for kind in kinds() {
        let mut one = learner(&kind, 2, &compute);
        let before = one.state();
        for name in before.tensors.keys() {
            let mut wrong = learner(&kind, 3, &compute).state();
            wrong.tensors.get_mut(name).unwrap().shape.push(1);
            let message = one.restore(&wrong).unwrap_err().to_string();
            assert!(message.starts_with(&format!("the tensor `{name}` of the state has the shape")), "{message}");
            wrong.tensors.remove(name);
            let message = one.restore(&wrong).unwrap_err().to_string();
            assert_eq!(message, format!("the state has no tensor `{name}`"));
            assert!(one.state() == before, "{kind:?}: {name}");
        }
        for name in before.counters.keys() {
            let mut wrong = learner(&kind, 3, &compute).state();
            wrong.counters.remove(name);
            assert_eq!(one.restore(&wrong).unwrap_err().to_string(), format!("the state has no counter `{name}`"));
            assert!(one.state() == before, "{kind:?}: {name}");
        }
    }
}

#[test]
fn the_counts_of_the_balance_are_part_of_the_state() {
    let compute = Compute::new(Some(2), Kernels::best()).unwrap();
    let kind = Kind::Fast(3.0, Some(1.0));
    let mut balanced = learner(&kind, 2, &compute);
    let start = balanced.state();
    assert_eq!(start.f32("balance_wins", &[HIDDEN]).unwrap(), [1.0; HIDDEN]);
    assert_eq!(start.f32("balance_pushes", &[HIDDEN]).unwrap(), [0.0; HIDDEN]);
    learn(&kind, &mut *balanced, &compute, 0..3);
    let learned = balanced.state();
    assert!(learned.f32("balance_pushes", &[HIDDEN]).unwrap().iter().any(|&pushes| pushes > 0.0));
    // Without its counts the same layer would go another way.
    let mut reset = learned.clone();
    for name in ["balance_wins", "balance_pushes"] {
        reset.insert(name, start.tensors[name].clone());
    }
    let [kept, reset] = [&learned, &reset].map(|state| {
        balanced.restore(state).unwrap();
        learn(&kind, &mut *balanced, &compute, 3..5);
        balanced.state()
    });
    assert!(kept != reset);
    let mut wrong = learned.clone();
    wrong.insert("balance_wins", Tensor::new([HIDDEN], vec![f32::NAN; HIDDEN]));
    let message = balanced.restore(&wrong).unwrap_err().to_string();
    assert_eq!(message, "NaN in the tensor `balance_wins` of the state is no count");
    let mut plain = learner(&Kind::Fast(3.0, None), 2, &compute);
    assert!(!plain.state().tensors.contains_key("balance_wins"));
    plain.restore(&learned).unwrap();
}

/// FNV-1a over the bytes of a tensor.
fn digest(values: &[f32]) -> u64 {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn digest_of(state: &State, name: &str) -> u64 {
    match &state.tensors[name].values {
        Values::F32(values) => digest(values),
        other => panic!("{name} is {other:?}"),
    }
}

/// A learner, the digests of some of its tensors, and its errors.
type Recorded = (Kind, &'static [(&'static str, u64)], usize);

#[test]
fn one_hidden_layer_and_the_readout_have_the_bits_of_recorded_runs() {
    let compute = Compute::new(Some(2), Kernels::best()).unwrap();
    let data = Data::new(&compute);
    assert_eq!(data.current_scale, 0.8884901288594917);
    assert_eq!(digest(&data.features.to_rows()), 0x001b_0adf_8fa1_676b);
    let recorded: [Recorded; 3] = [
        (
            Kind::Backprop(POWER, vec![HIDDEN]),
            &[
                ("weights", 0x3cd8_bd09_cb0e_1c84),
                ("weights_second_moment", 0xc013_1a08_6fa7_ddec),
                ("readout", 0x28fb_989a_86f8_3cdf),
                ("readout_first_moment", 0xb3ed_5bf4_920b_6ed8),
            ],
            25,
        ),
        (
            Kind::Backprop(Head::Softmax, vec![HIDDEN]),
            &[
                ("weights", 0xb558_3b89_4e68_7480),
                ("weights_second_moment", 0x9f22_cd17_1d14_503d),
                ("readout", 0xb1b3_5a5b_78e0_72c0),
                ("readout_first_moment", 0xc068_a647_6823_8ca7),
            ],
            32,
        ),
        (Kind::Readout, &[("readout", 0x9fa4_cbd9_141b_9122), ("readout_second_moment", 0x2a1a_a9cd_3886_7f3d)], 25),
    ];
    for (kind, digests, errors) in recorded {
        let mut learner = learner(&kind, 2, &compute);
        assert_eq!(learn(&kind, &mut *learner, &compute, 0..3), Some(errors));
        for &(name, digest) in digests {
            assert_eq!(digest_of(&learner.state(), name), digest, "{kind:?}: {name}");
        }
        assert_eq!(learner.state().counters["readout_steps"], 15);
    }
}

#[test]
fn the_readout_reads_a_matrix_in_place_as_it_reads_an_array() {
    let compute = Compute::new(Some(2), Kernels::best()).unwrap();
    let data = Data::new(&compute);
    let rows = data.features.to_rows();
    let array = Labelled { inputs: Inputs::f32(&rows, 600).unwrap(), labels: &data.labels };
    let [in_place, staged] = [data.features(), array].map(|data| {
        let mut readout = learner(&Kind::Readout, 2, &compute);
        readout.epoch(&compute, &data, &Random::keyed(2, "readout-order", 0).order(SAMPLES), 1e-2).unwrap();
        (readout.state(), readout.classifier().unwrap().predict(&compute, &data.inputs).unwrap())
    });
    assert!(in_place == staged);
}

#[test]
fn the_fast_rule_learns_from_the_rows_of_a_matrix_as_from_an_array() {
    let compute = Compute::new(Some(2), Kernels::best()).unwrap();
    let data = Data::new(&compute);
    let (rows, width) = (data.features.to_rows(), data.features.columns());
    let array = Labelled::unlabelled(Inputs::f32(&rows, width).unwrap());
    let [in_place, copied] = [data.features(), array].map(|data| {
        let rule = Rule::new(3.0, 3, 0.4).unwrap();
        let spec = FastSpec { inputs: width, hidden: 40, rule, batch: 10, init_sigma: 1.0, engine: Engine::Auto };
        let mut learner = FastLearner::new(spec, &mut Random::keyed(2, "weights", 0)).unwrap();
        learner.epoch(&compute, &data, &Random::keyed(2, "order", 0).order(SAMPLES), 0.02).unwrap();
        learner.state()
    });
    assert!(in_place == copied);
}

#[test]
fn the_fast_learner_is_the_rule_of_core_with_its_diagnostics() {
    let compute = Compute::new(Some(2), Kernels::best()).unwrap();
    let data = Data::new(&compute);
    let layer = Layer::normal(HIDDEN, INPUTS, 1.0, &mut Random::keyed(2, "weights", 0)).unwrap();
    let rule = Rule::new(3.0, 3, 0.4).unwrap();
    let mut core = rivalry_core::Learner::new(layer, rule, BATCH, &compute).unwrap();
    let mut learner = learner(&Kind::Fast(3.0, None), 2, &compute);
    let start = learner.state();
    assert_eq!(start.u32("wins", &[HIDDEN]).unwrap(), [0; HIDDEN]);
    for epoch in 0..20 {
        let order = Random::keyed(2, "order", epoch).order(SAMPLES);
        core.learn(&compute, &data.pixels().inputs, &order, rivalry_core::Rates::Constant(0.02)).unwrap();
        learner.epoch(&compute, &data.pixels(), &order, 0.02).unwrap();
    }
    let state = learner.state();
    assert_eq!(state.f32("weights", &[HIDDEN, INPUTS]).unwrap(), core.layer().to_rows());
    assert_eq!(state.u32("wins", &[HIDDEN]).unwrap(), core.wins());
    let counts = core.layer().diagnostics(3.0);
    let dead = core.wins().iter().filter(|&&wins| wins == 0).count();
    assert!(dead > 0 && dead < HIDDEN, "{dead} dead units");
    let expected = [("on_sphere", counts.on_sphere), ("negative_units", counts.negative_units), ("silent_units", dead)];
    assert_eq!(learner.diagnostics(), expected.map(|(name, count)| (name, count as f64)));
}
