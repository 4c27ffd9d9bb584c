use super::*;

fn run(method: &str, p: f64, seed: u64, test: Option<f64>) -> Run {
    Run::of_row(ResultRow {
        experiment: "mnist".to_owned(),
        method: method.to_owned(),
        p: Some(p),
        seed,
        train_samples: Some(100),
        test_error_pct: test,
        err: test.map_or("it broke".to_owned(), |_| String::new()),
        ..ResultRow::default()
    })
}

#[test]
fn mean_and_spread_are_over_seeds() {
    let spread = |values: &[(u64, f64)]| over_seeds(values.iter().copied());
    assert_eq!(spread(&[]), None);
    assert_eq!(spread(&[(1, 2.0)]).unwrap().text(), "2.00");
    let three = spread(&[(1, 1.83), (2, 1.86), (3, 1.82)]).unwrap();
    assert_eq!((three.text().as_str(), three.count), ("1.84 ± 0.02", 3));
    // The same seed again does not make the spread smaller.
    let again = spread(&[(1, 1.0), (1, 1.0), (2, 3.0)]).unwrap();
    assert_eq!((again.mean, again.sd, again.count), (2.0, Some(2.0_f64.sqrt()), 2));
}

#[test]
fn groups_are_methods_and_settings_in_order() {
    let runs = [
        run("shallow", 3.0, 1, Some(9.0)),
        run("biological", 10.0, 1, Some(2.0)),
        run("biological", 2.0, 2, Some(3.0)),
        run("biological", 2.0, 1, Some(1.0)),
    ];
    let parts = parts(&runs);
    assert_eq!(parts.len(), 1);
    let labels: Vec<&str> = parts[0].groups.iter().map(|group| group.label.as_str()).collect();
    assert_eq!(labels, ["biological, p 2", "biological, p 10", "shallow"]);
    assert_eq!(parts[0].groups[0].spread(|row| row.test_error_pct).unwrap().mean, 2.0);
    assert_eq!(parts[0].groups[0].seeds(), [1, 2]);
}

#[test]
fn other_data_is_another_part() {
    let mut other = run("biological", 2.0, 1, Some(1.0));
    other.row.dataset = "digits".to_owned();
    assert_eq!(parts(&[run("biological", 2.0, 1, Some(1.0)), other]).len(), 2);
}

#[test]
fn a_failed_run_stands_with_its_group_and_out_of_its_mean() {
    let mut broken = run("biological", 2.0, 3, None);
    broken.row.train_samples = None;
    let runs = [broken, run("biological", 2.0, 1, Some(1.0)), run("biological", 3.0, 1, Some(5.0))];
    let parts = parts(&runs);
    let group = &parts[0].groups[0];
    assert_eq!((parts[0].groups.len(), group.runs.len()), (2, 2));
    assert_eq!(group.failures().map(|run| run.row.seed).collect::<Vec<_>>(), [3]);
    assert_eq!(group.spread(|row| row.test_error_pct).unwrap().count, 1);
}

#[test]
fn a_remark_is_no_failure() {
    let mut row = run("biological", 2.0, 1, Some(1.0)).row;
    row.err = "synthetic digits".to_owned();
    assert!(!failed(&row));
    row.test_error_pct = None;
    assert!(failed(&row));
    row.weights_sha256 = "00".to_owned();
    assert!(!failed(&row), "a layer without a readout");
}

#[test]
fn one_seed_with_two_results_is_noticed() {
    let same = [run("biological", 2.0, 1, Some(1.0)), run("biological", 2.0, 1, Some(1.0))];
    assert!(parts(&same)[0].groups[0].disputed_seeds().is_empty());
    let differ = [run("biological", 2.0, 1, Some(1.0)), run("biological", 2.0, 1, Some(1.1))];
    assert_eq!(parts(&differ)[0].groups[0].disputed_seeds(), [1]);
}
