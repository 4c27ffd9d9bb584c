//! What `rivalry replay` refuses: one line, one hint, nothing written.

use rivalry_data::npy;

use crate::case::{Case, Examples, case, normals, replay, write};
use crate::common::Place;

#[test]
fn bad_input_is_one_line_and_nothing_is_written() {
    type Spoil = fn(&mut Case);
    let cases: [(Spoil, &str); 14] = [
        (|case| case.k = 11, "--k: expected at most the 10 hidden units"),
        (|case| case.k = 1, "k: expected"),
        (|case| case.p = 0.5, "p: expected"),
        (|case| case.p = f64::NAN, "p: expected"),
        (|case| case.delta = -0.1, "delta: expected"),
        (|case| case.batch = 0, "--batch: expected at least 1"),
        (|case| case.batch = 6, "expected 4 rates x 6 samples a minibatch, found 20 samples"),
        (|case| case.rates = vec![0.1; 5], "expected 5 rates x 5 samples a minibatch, found 20 samples"),
        (|case| case.rates[2] = -0.1, "rates r.npy: expected finite numbers of at least 0, found -0.1 at 2"),
        (|case| case.rates[1] = f32::NAN, "rates r.npy: expected finite numbers of at least 0, found NaN at 1"),
        (|case| case.weights[7] = f32::NAN, "array w.npy: expected finite f32 numbers, found NaN at 7"),
        (|case| case.weights[7] = f32::INFINITY, "array w.npy: expected finite f32 numbers, found inf at 7"),
        (|case| case.examples = nan_example(), "array x.npy: expected finite f32 numbers, found NaN at 3"),
        (overflow, "weight changes: expected finite numbers, found an overflow in minibatch 0"),
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
        ("w.npy", npy::write_u8(&[10, 20], &[1; 200]), "array w.npy: expected type f32 or f64, found |u1"),
        ("w.npy", npy::write_f32(&[200], &good.weights), "array w.npy: expected shape [hidden, inputs], found [200]"),
        ("x.npy", npy::write_u8(&[20, 21], &[1; 420]), "inputs x.npy: expected 20 inputs as in the weights, found 21"),
        ("x.npy", npy::write_u8(&[0, 20], &[]), "array x.npy: expected shape [samples, inputs], found [0, 20]"),
        ("r.npy", npy::write_f32(&[2, 2], &[0.1; 4]), "rates r.npy: expected shape [minibatches], found [2, 2]"),
        ("r.npy", npy::write_u8(&[4], &[1; 4]), "array r.npy: expected type f32 or f64, found |u1"),
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
    replay(&place, &good, &[]).failed_with("array x.npy: expected a readable .npy file");
    std::fs::create_dir(place.file("w2.npy")).unwrap();
    replay(&place, &good, &[]).failed_with("output w2.npy: expected a file, found a folder");
}
