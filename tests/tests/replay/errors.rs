//! What `rivalry replay` refuses: one line, one hint, nothing written.

use rivalry_data::npy;

use crate::case::{Case, Examples, case, normals, replay, write};
use crate::common::Place;

#[test]
fn bad_input_is_one_line_and_nothing_is_written() {
    type Spoil = fn(&mut Case);
    let cases: [(Spoil, &str); 14] = [
        (|case| case.k = 11, "k = 11 needs as many hidden units, the weights have 10"),
        (|case| case.k = 1, "k is 1, but must be a rank of at least 2"),
        (|case| case.p = 0.5, "p is 0.5, but must be a finite number of at least 1"),
        (|case| case.p = f64::NAN, "p is NaN, but must be"),
        (|case| case.delta = -0.1, "delta is -0.1, but must be a finite number of at least 0"),
        (|case| case.batch = 0, "a minibatch of 0 samples"),
        (|case| case.batch = 6, "4 rates and 6 samples a minibatch do not make 20 samples"),
        (|case| case.rates = vec![0.1; 5], "5 rates and 5 samples a minibatch do not make 20 samples"),
        (|case| case.rates[2] = -0.1, "r.npy holds the rate -0.1 at 2, which is below 0"),
        (|case| case.rates[1] = f32::NAN, "r.npy holds NaN at 1"),
        (|case| case.weights[7] = f32::NAN, "w.npy holds NaN at 7"),
        (|case| case.weights[7] = f32::INFINITY, "w.npy holds inf at 7"),
        (|case| case.examples = nan_example(), "x.npy holds NaN at 3"),
        (overflow, "weights leave the range of f32 in minibatch 0"),
    ];
    for (spoil, expected) in cases {
        let place = Place::new();
        let good = case("", [10, 20, 5], (2.0, 2, 0.4));
        write(&place, &good);
        let mut bad = good.clone();
        spoil(&mut bad);
        write_as(&place, &good, &bad);
        let before = place.listing();
        let ended = replay(&place, &bad, &[]);
        assert_eq!(ended.code, Some(1), "expected to fail: {expected}");
        ended.failed_with(expected);
        assert_eq!(place.listing(), before, "{expected}");
    }
}

/// One example in twenty whose scores are infinite: its winner cannot keep finite weights.
fn overflow(case: &mut Case) {
    case.weights.iter_mut().for_each(|w| *w = w.abs());
    let mut values = normals(400, 3);
    values[..20].fill(3e38);
    case.examples = Examples::F32(values);
}

fn nan_example() -> Examples {
    let mut values = vec![0.5; 400];
    values[3] = f32::NAN;
    Examples::F32(values)
}

/// Writes the spoilt arrays in the good case's shape, whatever the command line will claim.
fn write_as(place: &Place, good: &Case, bad: &Case) {
    let shaped = Case { batch: good.batch, ..bad.clone() };
    place.write("w.npy", npy::write_f32(&[good.hidden, good.inputs], &shaped.weights));
    match &shaped.examples {
        Examples::U8(values) => place.write("x.npy", npy::write_u8(&[20, good.inputs], values)),
        Examples::F32(values) => place.write("x.npy", npy::write_f32(&[20, good.inputs], values)),
    };
    place.write("r.npy", npy::write_f32(&[shaped.rates.len()], &shaped.rates));
}

#[test]
fn files_that_are_no_arrays_of_the_right_kind_are_named() {
    let good = case("", [10, 20, 5], (2.0, 2, 0.4));
    let whole = npy::write_f32(&[10, 20], &good.weights);
    let cases: [(&str, Vec<u8>, &str); 8] = [
        ("w.npy", whole[..whole.len() - 1].to_vec(), "w.npy"),
        ("w.npy", b"garbage".to_vec(), "w.npy"),
        ("w.npy", npy::write_u8(&[10, 20], &[1; 200]), "w.npy holds u8, not f32 or f64"),
        ("w.npy", npy::write_f32(&[200], &good.weights), "w.npy has the shape [200], not [hidden, inputs]"),
        ("x.npy", npy::write_u8(&[20, 21], &[1; 420]), "x.npy has 21 inputs a sample, the weights have 20"),
        ("x.npy", npy::write_u8(&[0, 20], &[]), "x.npy has the shape [0, 20], not [samples, inputs]"),
        ("r.npy", npy::write_f32(&[2, 2], &[0.1; 4]), "r.npy has the shape [2, 2], not [minibatches]"),
        ("r.npy", npy::write_u8(&[4], &[1; 4]), "r.npy holds u8, not f32 or f64"),
    ];
    for (name, content, expected) in cases {
        let place = Place::new();
        write(&place, &good);
        place.write(name, content);
        let before = place.listing();
        replay(&place, &good, &[]).failed_with(expected);
        assert_eq!(place.listing(), before, "{expected}");
    }
    let place = Place::new();
    write(&place, &good);
    std::fs::remove_file(place.file("x.npy")).unwrap();
    replay(&place, &good, &[]).failed_with("cannot read x.npy");
    std::fs::create_dir(place.file("w2.npy")).unwrap();
    replay(&place, &good, &[]).failed_with("w2.npy is a folder, not a file");
}
