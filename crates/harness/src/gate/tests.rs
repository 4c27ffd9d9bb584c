use super::*;

fn gate(errors: &[f64]) -> Gate {
    Gate {
        name: "a".to_owned(),
        experiment: "synthetic".to_owned(),
        set: Table::new(),
        seeds: (1..=errors.len() as u64).collect(),
        test_error_pct: errors.to_vec(),
    }
}

#[test]
fn the_built_in_gates_are_runs_of_named_experiments() {
    let gates = Gate::load(None).unwrap();
    assert!(gates.iter().any(|gate| gate.experiment == "mnist"));
    for gate in gates {
        assert_eq!(gate.experiments().unwrap().len(), gate.seeds.len(), "{}", gate.name);
        assert_eq!(gate.judge(&gate.test_error_pct), Verdict::Same);
    }
}

#[test]
fn three_deviations_above_are_allowed_and_no_more() {
    // Mean 2, sample standard deviation 0.5.
    let gate = gate(&[1.5, 2.0, 2.5]);
    assert!((gate.allowed_pct() - 3.5).abs() < 1e-9);
    for (found, expected) in [
        ([1.5, 2.0, 2.5], Verdict::Same),
        ([2.5, 2.0, 1.5], Verdict::Within),
        ([3.4, 3.5, 3.5], Verdict::Within),
        ([3.5, 3.5, 3.6], Verdict::Worse),
        ([0.4, 0.5, 0.5], Verdict::Better),
        ([0.5, 0.5, 0.6], Verdict::Within),
    ] {
        assert_eq!(gate.judge(&found), expected, "{found:?}");
    }
    assert_eq!(gate.judge(&[f64::NAN; 3]), Verdict::Worse);
    assert_eq!(gate.judge(&[]), Verdict::Worse);
}

#[test]
fn seeds_that_agree_leave_some_room() {
    for recorded in [&[4.0][..], &[4.0, 4.0]] {
        let gate = gate(recorded);
        assert_eq!(gate.judge(&[4.19]), Verdict::Within);
        assert_eq!(gate.judge(&[4.21]), Verdict::Worse);
    }
}

#[test]
fn what_is_no_baseline_is_refused_by_name() {
    let one = |name: &str, seeds: &str, errors: &str| {
        format!("[[gate]]\nname = \"{name}\"\nexperiment = \"mnist\"\nseeds = {seeds}\ntest_error_pct = {errors}\n")
    };
    let good = one("a", "[1]", "[2.0]");
    for (text, expected) in [
        (String::new(), "missing field `gate`"),
        ("gate = []".to_owned(), "expected a gate, found none"),
        (
            one("a", "[1, 2]", "[2.0]"),
            "gate `a` in B: expected at least one seed, and an error for each, found 2 and 1",
        ),
        (one("a", "[]", "[]"), "found 0 and 0"),
        (one("a", "[1]", "[-2.0]"), "expected errors from 0 to 100 %, found -2"),
        (one("a", "[1]", "[nan]"), "found NaN"),
        (one("../a", "[1]", "[2.0]"), "expected a name of letters"),
        (format!("{good}{good}"), "two of that name"),
        (format!("{good}hiden = 3\n"), "unknown field `hiden`"),
    ] {
        let error = format!("{:#}", Gate::parse(&text, "B").unwrap_err());
        assert!(error.contains(expected), "{expected}: {error}");
    }
    assert!(Gate::parse(&format!("{good}[gate.set]\nhiden = 3\n"), "B").unwrap()[0].experiments().is_err());
    let held_out = Gate::parse(&format!("{good}[gate.set]\nvalidation = 0.2\n"), "B").unwrap();
    assert!(held_out[0].experiments().unwrap_err().to_string().contains("expected runs with a test error"));
}
