//! `rivalry bench` from outside: answers that hold and do not, results written, compared, reported and put into documents.

mod common;

use common::Place;
use rivalry::record::bench::{BenchRow, SampleRow};
use rivalry::record::{Columns, from_csv, to_csv};

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
    assert_eq!(csv.lines().next().unwrap(), BenchRow::COLUMNS.join(","));
    let rows: Vec<BenchRow> = from_csv(&csv, "rows.csv").unwrap();
    let row = &rows[0];
    assert_eq!((row.hidden, row.inputs, row.batch, row.k), (Some(100), Some(784), Some(100), Some(2)));
    assert_eq!((row.engine.as_str(), row.err.as_str(), row.checksum.len()), ("dense", "", 64));
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
        bench(&place, &[&["run", "--record"], &FILTER[..]].concat()).failed_with("record: expected a release build");
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
