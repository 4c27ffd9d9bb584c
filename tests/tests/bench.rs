//! `rivalry bench` from outside: answers that hold and do not, results written, compared, reported and put into documents.

mod common;

use common::Place;
use rivalry::rows::bench::{BenchRow, SampleRow};
use rivalry::rows::{columns, from_csv, to_csv};

/// The smallest of the built-in benchmarks on generated data.
const FILTER: [&str; 2] = ["--filter", "^epoch/digits-100"];
const WRONG: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn bench(place: &Place, arguments: &[&str]) -> common::Ended {
    place.run(&[&["bench"], arguments].concat())
}

/// A file with one small benchmark and a checksum.
fn definitions(place: &Place, checksum: &str, data: &str) -> String {
    let samples = if data == "digits" { "samples = 200\n" } else { "" };
    place.write(
        "mine.toml",
        format!(
            "[[bench]]\nname = 'epoch/mine'\nkind = 'epoch'\ndata = '{data}'\n{samples}hidden = 20\ninputs = 784\n\
             batch = 50\np = 2.0\nk = 2\ndelta = 0.4\nrate = 0.02\ncheck = 1\nminibatches = 2\niterations = 3\n\
             checksum = '{checksum}'\n"
        ),
    );
    "mine.toml".to_owned()
}

/// The checksum that this version computes for [`definitions`].
fn found(ended: &common::Ended) -> String {
    ended.stdout.split("found ").nth(1).expect("a checksum that was found")[..64].to_owned()
}

#[test]
fn a_wrong_checksum_is_a_gate_that_did_not_hold() {
    let place = Place::new();
    let file = definitions(&place, WRONG, "digits");
    let red = bench(&place, &["verify", "--definitions", &file]);
    assert_eq!(red.code, Some(3), "{}", red.stderr);
    assert!(red.stdout.contains("WRONG    epoch/mine"), "{}", red.stdout);
    assert!(red.stdout.contains("0 hold, 1 wrong, 0 skipped"), "{}", red.stdout);
    assert!(red.stderr.starts_with("error: 1 of 1 benchmarks: epoch/mine: checksum: expected 0123"), "{}", red.stderr);
    assert_eq!(red.stderr.lines().count(), 2);

    definitions(&place, &found(&red), "digits");
    let green = bench(&place, &["verify", "--definitions", &file]).succeeded();
    assert_eq!(green.stdout, "ok       epoch/mine\n1 hold, 0 wrong, 0 skipped\n");

    definitions(&place, WRONG, "digits");
    let run = bench(&place, &["run", "--definitions", &file, "--out", "out", "--quiet"]);
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    let csv = std::fs::read_to_string(place.file("out/rows.csv")).unwrap();
    let rows: Vec<BenchRow> = from_csv(&csv, "rows.csv").unwrap();
    assert!(rows[0].err.starts_with("checksum: expected 0123") && rows[0].median_ns.is_none(), "{csv}");
}

#[test]
fn missing_data_is_skipped_aloud_and_nothing_but_skips_is_no_success() {
    let place = Place::new();
    let file = definitions(&place, WRONG, "mnist");
    let ended = bench(&place, &["verify", "--definitions", &file]);
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stdout.contains("SKIPPED  epoch/mine") && ended.stdout.contains("no data: mnist"),
        "{}",
        ended.stdout
    );
    assert!(ended.stderr.contains("found no data for any"), "{}", ended.stderr);
    let some = bench(&place, &["verify", "--filter", "mnist-100|digits-100"]).succeeded();
    assert!(some.stdout.contains("2 hold, 0 wrong, 1 skipped"), "{}", some.stdout);
    let run = bench(&place, &["run", "--filter", "mnist-100|epoch/digits-100", "--json", "--quiet"]).succeeded();
    let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert!(json["rows"][0]["err"].as_str().unwrap().starts_with("no data: mnist"));
    assert!(json["rows"][1]["median_ns"].as_u64().unwrap() > 0);
    assert!(json["bandwidth_gbs"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_run_leaves_rows_samples_and_the_machine() {
    let place = Place::new();
    let run = bench(&place, &[&["run", "--out", "out"], &FILTER[..]].concat()).succeeded();
    assert!(run.stdout.contains("| epoch/digits-100-p2-k2-first |"), "{}", run.stdout);
    let read = |name: &str| std::fs::read_to_string(place.file(&format!("out/{name}"))).unwrap();
    let csv = read("rows.csv");
    assert_eq!(csv.lines().next().unwrap(), columns::<BenchRow>().join(","));
    let rows: Vec<BenchRow> = from_csv(&csv, "rows.csv").unwrap();
    let row = &rows[0];
    assert_eq!((row.hidden, row.inputs, row.batch, row.k), (Some(100), Some(784), Some(100), Some(2)));
    assert_eq!((row.engine.as_str(), row.err.as_str(), row.checksum.len()), ("screened", "", 64));
    let samples: Vec<SampleRow> = from_csv(&read("samples.csv"), "samples.csv").unwrap();
    assert_eq!(samples.len(), row.iterations);
    assert_eq!(samples.iter().map(|sample| sample.ns).min(), row.min_ns);
    let machine = read("machine.txt");
    assert!(machine.contains("cpu ") && machine.contains("bandwidth   "), "{machine}");

    bench(&place, &[&["run", "--out", "out"], &FILTER[..]].concat()).failed_with("found rows.csv");
    let cmp = bench(&place, &["cmp", "out", "out/rows.csv"]).succeeded();
    assert!(cmp.stdout.contains("geometric mean of B / A over 1 benchmarks: 1.000"), "{}", cmp.stdout);
}

#[test]
fn a_record_from_this_build_is_refused_before_the_first_benchmark() {
    let place = Place::new();
    place.write("bench-results/README.md", "");
    if cfg!(debug_assertions) {
        let before = place.listing();
        bench(&place, &[&["run", "--record"], &FILTER[..]].concat()).failed_with("a debug build cannot write a record");
        assert_eq!(place.listing(), before);
    }
}

#[test]
fn what_cannot_be_asked_for_is_one_line() {
    let place = Place::new();
    place.write("broken.toml", "[[bench]]\nname = 5\n");
    for (arguments, expected) in [
        (vec!["list", "--filter", "nothing like it"], "--filter: expected to match a benchmark"),
        (vec!["verify", "--filter", "["], "--filter: expected a regular expression, found `[`"),
        (vec!["verify", "--definitions", "gone.toml"], "definitions gone.toml: expected readable"),
        (vec!["verify", "--definitions", "broken.toml"], "broken.toml line"),
        (vec!["cmp", "gone", "gone"], "result gone: expected rows of benchmarks"),
        (vec!["report"], "report: expected a record in bench-results/bench, found none"),
        (vec!["report", "gone"], "result gone: expected rows of benchmarks"),
    ] {
        bench(&place, &arguments).failed_with(expected);
    }
}

/// A record as another machine left it.
fn write_record(place: &Place, folder: &str, median_ns: u64) {
    let row = |name: &str, threads| BenchRow {
        name: name.to_owned(),
        batch: Some(100),
        threads,
        median_ns: Some(median_ns),
        pct_of_peak: Some(50.0),
        cpu: "A CPU".to_owned(),
        rustc: "rustc 1".to_owned(),
        revision: "0123456789ab".to_owned(),
        dirty: "false".to_owned(),
        date: format!("2026-01-01T00:00:{:02}Z", median_ns / 1_000_000),
        ..BenchRow::default()
    };
    let rows = [row("epoch/mnist-x", 2), row("scaling/x@1", 1)];
    place.write(&format!("{folder}/rows.csv"), to_csv(&rows));
}

#[test]
fn tables_are_put_into_a_document_and_twice_is_once() {
    let place = Place::new();
    write_record(&place, "bench-results/bench/old", 1_000_000);
    write_record(&place, "bench-results/bench/new", 2_000_001);
    let document = "# Title\n\n<!-- bench:begin epochs -->\nold\n<!-- bench:end -->\n\nbetween\n\
        <!-- bench:begin peers -->\nnot measured\n<!-- bench:end -->\nend\n";
    place.write("README.md", document);
    let first = bench(&place, &["report", "--splice", "README.md"]).succeeded();
    assert!(first.stderr.contains("`peers` is left as it is"), "{}", first.stderr);
    let spliced = std::fs::read_to_string(place.file("README.md")).unwrap();
    for part in [
        "# Title\n\n<!-- bench:begin epochs -->\n",
        "| epoch/mnist-x    |",
        "1.200",
        "A CPU, revision 0123456789ab, rustc 1; rows: bench-results/bench/new/rows.csv; made by \
         `rivalry bench report bench-results/bench/new --splice README.md`\n<!-- bench:end -->\n\nbetween\n",
        "not measured\n<!-- bench:end -->\nend\n",
    ] {
        assert!(spliced.contains(part), "no {part:?} in\n{spliced}");
    }
    assert!(!spliced.contains("\nold\n"));
    let again = bench(&place, &["report", "bench-results/bench/new", "--splice", "README.md"]).succeeded();
    assert!(again.stderr.contains("README.md is as it should be"), "{}", again.stderr);
    assert_eq!(std::fs::read_to_string(place.file("README.md")).unwrap(), spliced);

    let printed = bench(&place, &["report", "bench-results/bench/old"]).succeeded();
    assert!(printed.stdout.contains("made by `rivalry bench report bench-results/bench/old`"), "{}", printed.stdout);
    place.write("none.md", "no place\n");
    bench(&place, &["report", "--splice", "none.md"]).failed_with("none.md: expected places for tables, found none");
    place.write("other.md", "<!-- bench:begin speed -->\n<!-- bench:end -->\n");
    bench(&place, &["report", "--splice", "other.md"]).failed_with("other.md: expected a table of epochs");
}

#[test]
fn programs_that_are_not_installed_are_said_with_what_to_do() {
    let place = Place::new();
    let ended = bench(&place, &["peers", "--filter", "^score/digits-100", "--rounds", "1"]);
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.stdout.matches("not installed").count(), 4, "{}", ended.stdout);
    assert!(ended.stderr.contains("not installed: expected .venv/bin/python, found none"), "{}", ended.stderr);
    assert!(ended.stderr.contains("error: peers: expected at least one program"), "{}", ended.stderr);
    assert!(ended.stderr.contains("scripts/peers/install.sh installs"), "{}", ended.stderr);
    bench(&place, &["peers", "--filter", "^memory"]).failed_with("--filter: expected an epoch from random weights");
}

/// Programs in place of Python, which get the script as their first argument and what rivalry hands over after it.
#[cfg(unix)]
mod programs {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// Finds the arguments that a program needs, and prints ten samples.
    const BEGIN: &str =
        "#!/bin/sh\nshift\nwhile [ $# -gt 0 ]; do\n  case $1 in --*) eval \"${1#--}=\\$2\" ;; esac\n  shift 2\ndone\n";
    const END: &str = "echo '{\"version\": \"made up\", \"samples_ns\": [7, 7, 7, 7, 7, 7, 7, 7, 7, 7]}'\n";

    fn peers(work: &str) -> (Place, common::Ended) {
        let place = Place::new();
        place.write("scripts/numpy_peer.py", "");
        let program = place.write("python", format!("{BEGIN}{work}\n{END}"));
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let arguments = ["peers", "--python", "./python", "--scripts", "scripts", "--rounds", "2", "--out", "out"];
        let ended = bench(&place, &[&arguments[..], &FILTER[..]].concat());
        (place, ended)
    }

    fn rows(place: &Place) -> Vec<BenchRow> {
        from_csv(&std::fs::read_to_string(place.file("out/rows.csv")).unwrap(), "rows.csv").unwrap()
    }

    #[test]
    fn a_program_that_computes_the_rule_is_compared() {
        let replay = format!(
            "{} replay --weights $dir/weights.npy --inputs $dir/inputs.npy --rates $dir/rates.npy --batch $batch --p $p \
             --k $k --delta $delta --out $out || exit 1",
            env!("CARGO_BIN_EXE_rivalry-under-test")
        );
        let (place, ended) = peers(&replay);
        ended.succeeded();
        let rows = rows(&place);
        let numpy: Vec<&BenchRow> = rows.iter().filter(|row| row.peer.starts_with("numpy")).collect();
        assert_eq!(numpy.len(), 2);
        for row in numpy {
            assert_eq!((row.err.as_str(), row.peer_median_ns), ("", Some(7)));
            let ratio = 7.0 / row.median_ns.unwrap() as f64;
            assert!((row.ratio.unwrap() - ratio).abs() <= 1e-3);
        }
        assert!(
            rows.iter().filter(|row| row.peer.starts_with("torch")).all(|row| row.err.starts_with("not installed"))
        );
        let samples = std::fs::read_to_string(place.file("out/samples.csv")).unwrap();
        assert_eq!(samples.matches("numpy float64").count(), 20, "two rounds of ten minibatches");
        assert!(std::fs::read_to_string(place.file("out/machine.txt")).unwrap().contains("numpy float32: made up"));
    }

    #[test]
    fn a_program_that_computes_something_else_is_not() {
        let (place, ended) = peers("cp $dir/weights.npy $out");
        assert_eq!(ended.code, Some(3), "{}", ended.stderr);
        let wrong = "numpy float64: wrong result: expected ours within 0.001, found 1.000000 apart";
        assert!(ended.stderr.contains(wrong), "{}", ended.stderr);
        let rows = rows(&place);
        assert!(rows.iter().all(|row| row.peer_median_ns.is_none() && row.ratio.is_none() && !row.err.is_empty()));
    }

    #[test]
    fn a_program_that_fails_or_talks_otherwise_is_a_row() {
        for (work, expected) in [
            ("echo 'no such module' >&2; exit 1", "found no such module"),
            ("cp $dir/weights.npy $out; echo '{}'; exit 0", "found \"{}"),
            (
                "cp $dir/weights.npy $out; echo '{\"version\": \"x\", \"samples_ns\": [1]}'; exit 0",
                "found 1 samples for 10",
            ),
            (":", "found no result"),
        ] {
            let (place, ended) = peers(work);
            assert_eq!(ended.code, Some(1), "{work}: {}", ended.stderr);
            let err = &rows(&place)[0].err;
            assert!(
                err.starts_with("failed: expected an answer of scripts/numpy_peer.py") && err.contains(expected),
                "{err}"
            );
        }
    }
}
