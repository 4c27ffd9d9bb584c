//! `rivalry bench` from outside: right and wrong results, results written, compared, printed and put into documents.

mod common;

use common::Place;
use rivalry::bench::rows::{BenchRow, SampleRow};
use rivalry::rows::{columns, from_csv, to_csv};

/// The smallest of the built-in benchmarks on generated data.
const FILTER: [&str; 2] = ["--filter", "^epoch/digits-100"];
const WRONG: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn bench(place: &Place, arguments: &[&str]) -> common::Ended {
    place.run(&[&["bench"], arguments].concat())
}

/// A file with one small benchmark and a checksum.
fn definitions(place: &Place, checksum: &str, data: &str) -> String {
    place.write(
        "mine.toml",
        format!(
            "[[bench]]\nname = 'epoch/mine'\ncheck = 1\nminibatches = 2\niterations = 3\nchecksum = '{checksum}'\n\
             work.epoch = {{ data = {data}, hidden = 20, batch = 50, p = 2.0, k = 2, delta = 0.4, rate = 0.02 }}\n"
        ),
    );
    "mine.toml".to_owned()
}

#[test]
fn a_wrong_checksum_is_a_gate_that_did_not_hold() {
    let (place, digits) = (Place::new(), "{ digits = { samples = 200 } }");
    let file = definitions(&place, WRONG, digits);
    let red = bench(&place, &["verify", "--definitions", &file]);
    assert_eq!(red.code, Some(3), "{}", red.stderr);
    assert!(red.stdout.contains("WRONG    epoch/mine"), "{}", red.stdout);
    assert!(red.stdout.contains("0 right, 1 wrong, 0 skipped"), "{}", red.stdout);
    let error = "error: 1 of 1 benchmarks are wrong: epoch/mine: wrong result: checksum ";
    assert!(red.stderr.starts_with(error), "{}", red.stderr);
    assert_eq!(red.stderr.lines().count(), 2);

    let found = &red.stdout.split("checksum ").nth(1).expect("the checksum of this version")[..64];
    definitions(&place, found, digits);
    let green = bench(&place, &["verify", "--definitions", &file]).succeeded();
    assert_eq!(green.stdout, "ok       epoch/mine\n1 right, 0 wrong, 0 skipped\n");

    definitions(&place, WRONG, digits);
    let run = bench(&place, &["run", "--definitions", &file, "--out", "out", "--quiet"]);
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    let csv = std::fs::read_to_string(place.file("out/rows.csv")).unwrap();
    let rows: Vec<BenchRow> = from_csv(&csv, "rows.csv").unwrap();
    assert!(rows[0].err.starts_with("wrong result: checksum") && rows[0].median_ns.is_none(), "{csv}");
}

#[test]
fn missing_data_is_skipped_aloud_and_nothing_but_skips_is_no_success() {
    let place = Place::new();
    let file = definitions(&place, WRONG, "'mnist'");
    let ended = bench(&place, &["verify", "--definitions", &file]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stdout.contains("SKIPPED  epoch/mine") && ended.stdout.contains("no data: "), "{}", ended.stdout);
    assert!(ended.stderr.contains("there is no data for any"), "{}", ended.stderr);
    let some = bench(&place, &["verify", "--filter", "mnist-100|(epoch|score)/digits-100"]).succeeded();
    assert!(some.stdout.contains("2 right, 0 wrong, 1 skipped"), "{}", some.stdout);
    let run = bench(&place, &["run", "--filter", "mnist-100|epoch/digits-100", "--json", "--quiet"]).succeeded();
    let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert!(json["rows"][0]["err"].as_str().unwrap().starts_with("no data: "));
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

    bench(&place, &[&["run", "--out", "out"], &FILTER[..]].concat()).failed_with("out already has results");
    let cmp = bench(&place, &["cmp", "out", "out/rows.csv"]).succeeded();
    assert!(cmp.stdout.contains("Geometric mean of B / A over 1 benchmarks: 1.000"), "{}", cmp.stdout);
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
fn wrong_arguments_are_one_line() {
    let place = Place::new();
    place.write("broken.toml", "[[bench]]\nname = 5\n");
    for (arguments, expected) in [
        (vec!["list", "--filter", "nothing like it"], "--filter `nothing like it` matches no benchmark"),
        (vec!["verify", "--filter", "["], "--filter `[` is not a regular expression"),
        (vec!["verify", "--definitions", "gone.toml"], "gone.toml"),
        (vec!["verify", "--definitions", "broken.toml"], "broken.toml, line "),
        (vec!["cmp", "gone", "gone"], "gone"),
        (vec!["report", "gone"], "gone"),
    ] {
        bench(&place, &arguments).failed_with(expected);
    }
    assert_eq!(bench(&place, &["report"]).code, Some(2));
    assert_eq!(bench(&place, &["report", "--check", "out"]).code, Some(2));
}

#[test]
fn tables_are_put_into_a_document_and_compared_with_it() {
    let place = Place::new();
    let row = |name: &str, threads| BenchRow {
        name: name.to_owned(),
        batch: Some(100),
        threads,
        median_ns: Some(2_000_001),
        pct_of_peak: Some(50.0),
        cpu: "A CPU".to_owned(),
        rustc: "rustc 1".to_owned(),
        revision: "0123456789ab".to_owned(),
        dirty: "false".to_owned(),
        ..BenchRow::default()
    };
    let rows = [row("epoch/mnist-x", 2), row("scaling/x@1", 1)];
    place.write("bench-results/bench/2026-01-01-a-cpu-0123456789ab/rows.csv", to_csv(&rows));
    let record = "bench/2026-01-01-a-cpu-0123456789ab";
    let document = |table: &str| {
        format!("# Title\n\n<!-- bench:begin {table} from {record} -->\nold\n<!-- bench:end -->\n\nbehind\n")
    };
    place.write("README.md", document("epochs"));
    let check = ["report", "--splice", "README.md", "--check"];
    let stale = bench(&place, &check);
    assert_eq!(stale.code, Some(3), "{}", stale.stderr);
    assert!(stale.stderr.contains("README.md differs from its records in the table epochs"), "{}", stale.stderr);
    bench(&place, &check[..3]).succeeded();
    let spliced = std::fs::read_to_string(place.file("README.md")).unwrap();
    for part in [
        &format!("# Title\n\n<!-- bench:begin epochs from {record} -->\n"),
        "| epoch/mnist-x |",
        " 1.200 |",
        &format!(
            "A CPU, revision 0123456789ab, rustc 1. Rows: bench-results/{record}/rows.csv. Command: `rivalry bench \
             report bench-results/{record}`\n<!-- bench:end -->\n\nbehind\n"
        ),
    ] {
        assert!(spliced.contains(part), "no {part:?} in\n{spliced}");
    }
    assert!(!spliced.contains("\nold\n"));
    bench(&place, &check).succeeded();
    let printed = bench(&place, &["report", &format!("bench-results/{record}")]).succeeded();
    assert!(printed.stdout.contains("| epoch/mnist-x |") && printed.stdout.contains("speed-up"), "{}", printed.stdout);

    for (table, expected) in [("speed", "there is no table `speed`, only epochs, "), ("peers", "has no table `peers`")]
    {
        place.write("other.md", document(table));
        bench(&place, &["report", "--splice", "other.md"]).failed_with(expected);
    }
}

#[test]
fn peers_that_are_not_installed_are_named_with_what_to_do() {
    let place = Place::new();
    let ended = bench(&place, &["peers", "--filter", "^score/digits-100", "--rounds", "1"]);
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.stdout.matches("not installed").count(), 4, "{}", ended.stdout);
    assert!(ended.stderr.contains("not installed: there is no .venv/bin/python"), "{}", ended.stderr);
    assert!(ended.stderr.contains("error: none of the peers could be measured"), "{}", ended.stderr);
    assert!(ended.stderr.contains("scripts/peers/install.sh installs"), "{}", ended.stderr);
    bench(&place, &["peers", "--filter", "^memory"]).failed_with("no benchmark that peers can do");
}

/// Shell scripts in place of Python. They get the peer's script as their first argument and the flags after it.
#[cfg(unix)]
mod programs {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::time::{Duration, Instant};

    /// Reads the flags into variables.
    const BEGIN: &str =
        "#!/bin/sh\nshift\nwhile [ $# -gt 0 ]; do\n  case $1 in --*) eval \"${1#--}=\\$2\" ;; esac\n  shift 2\ndone\n";
    const END: &str = "echo '{\"version\": \"made up\", \"samples_ns\": [7, 7, 7, 7, 7, 7, 7, 7, 7, 7]}'\n";
    const REPLAY: &str = " replay --weights $dir/weights.npy --inputs $dir/inputs.npy --rates $dir/rates.npy \
        --batch $batch --p $p --k $k --delta $delta --out $out || exit 1";

    fn peers(work: &str, flags: &[&str]) -> (Place, common::Ended) {
        let place = Place::new();
        place.write("scripts/numpy_peer.py", "");
        let program = place.write("python", format!("{BEGIN}{work}\n{END}"));
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let arguments = ["peers", "--python", "./python", "--scripts", "scripts", "--out", "out"];
        let ended = bench(&place, &[&arguments[..], &FILTER[..], flags].concat());
        (place, ended)
    }

    fn rows(place: &Place) -> Vec<BenchRow> {
        from_csv(&std::fs::read_to_string(place.file("out/rows.csv")).unwrap(), "rows.csv").unwrap()
    }

    #[test]
    fn a_peer_that_computes_the_rule_is_compared() {
        let replay = format!("{}{REPLAY}", env!("CARGO_BIN_EXE_rivalry-under-test"));
        let (place, ended) = peers(&replay, &["--rounds", "2"]);
        let ended = ended.succeeded();
        let rows = rows(&place);
        let numpy: Vec<&BenchRow> = rows.iter().filter(|row| row.peer.starts_with("numpy")).collect();
        assert_eq!(numpy.len(), 2);
        for row in numpy {
            assert_eq!((row.err.as_str(), row.peer_median_ns), ("", Some(7)));
            let ratio = 7.0 / row.median_ns.unwrap() as f64;
            assert!((row.ratio.unwrap() - ratio).abs() <= 1e-3);
        }
        let torch = rows.iter().filter(|row| row.peer.starts_with("torch"));
        assert!(torch.clone().count() == 2 && torch.clone().all(|row| row.err.starts_with("not installed")));
        let samples = std::fs::read_to_string(place.file("out/samples.csv")).unwrap();
        assert_eq!(samples.matches("numpy float64").count(), 20, "two rounds of ten minibatches");
        assert!(std::fs::read_to_string(place.file("out/machine.txt")).unwrap().contains("numpy float32: made up"));
        // The peak is measured right before and right after ours.
        assert!(ended.stderr.contains(" GFLOP/s before, "), "{}", ended.stderr);
    }

    #[test]
    fn workers_of_a_peer_do_not_spin_and_have_as_many_threads_as_ours() {
        let replay = format!(
            "[ \"$OMP_WAIT_POLICY $KMP_BLOCKTIME\" = 'passive 0' ] || {{ echo 'they spin' >&2; exit 1; }}\n\
             [ \"$OMP_NUM_THREADS $OPENBLAS_NUM_THREADS $MKL_NUM_THREADS\" = '1 1 1' ] || exit 1\n{}{REPLAY}",
            env!("CARGO_BIN_EXE_rivalry-under-test")
        );
        let (place, ended) = peers(&replay, &["--rounds", "1", "--threads", "1"]);
        ended.succeeded();
        assert_eq!(rows(&place)[0].err, "");
    }

    #[test]
    fn a_peer_that_hangs_is_killed_with_its_children_and_said() {
        let start = Instant::now();
        let (place, ended) = peers("sh -c 'sleep 6; touch survived'; true", &["--rounds", "1", "--limit", "1"]);
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        let err = &rows(&place)[0].err;
        assert_eq!(err, "too slow: scripts/numpy_peer.py did not end within 1 s and was killed");
        // Time for a child that was left behind to show itself.
        std::thread::sleep(Duration::from_secs(7));
        assert!(!place.file("survived").exists());
        assert!(start.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn a_peer_that_computes_something_else_is_not_compared() {
        let (place, ended) = peers("cp $dir/weights.npy $out", &["--rounds", "1"]);
        assert_eq!(ended.code, Some(3), "{}", ended.stderr);
        let wrong = "numpy float64: wrong result: it differs from ours by 1.000000, more than 0.001";
        assert!(ended.stderr.contains(wrong), "{}", ended.stderr);
        let rows = rows(&place);
        assert!(rows.iter().all(|row| row.peer_median_ns.is_none() && row.ratio.is_none() && !row.err.is_empty()));
    }

    #[test]
    fn a_peer_that_fails_is_a_row() {
        for (work, expected) in [
            ("echo 'no such module' >&2; exit 1", "no such module"),
            ("cp $dir/weights.npy $out; echo '{}'; exit 0", "printed \"{}"),
            (
                "cp $dir/weights.npy $out; echo '{\"version\": \"x\", \"samples_ns\": [1]}'; exit 0",
                "gave 1 times for 10 minibatches",
            ),
            (":", "wrote no result"),
        ] {
            let (place, ended) = peers(work, &["--rounds", "1"]);
            assert_eq!(ended.code, Some(1), "{work}: {}", ended.stderr);
            let err = &rows(&place)[0].err;
            assert!(err.starts_with("failed: scripts/numpy_peer.py") && err.contains(expected), "{err}");
        }
    }
}
