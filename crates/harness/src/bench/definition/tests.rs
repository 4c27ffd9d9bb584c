use super::*;

const GOOD: &str = r#"
[[bench]]
name = "epoch/small"
kind = "epoch"
data = "digits"
samples = 50
hidden = 20
inputs = 784
batch = 10
p = 2.0
k = 2
delta = 0.4
rate = 0.02
check = 1
minibatches = 2
iterations = 3
checksum = "0000000000000000000000000000000000000000000000000000000000000000"
"#;

fn filtered(filter: &str, threads: usize) -> anyhow::Result<Vec<Case>> {
    let selection = Selection { filter: Some(filter.to_owned()), definitions: None };
    select(&selection, Engine::Auto, threads)
}

#[test]
fn the_built_in_files_hold_what_is_promised() {
    let all = embedded().unwrap();
    for (prefix, data, hidden, p, k) in [
        ("epoch/mnist-2000-p3-k7-first", Data::Mnist, 2000, 3.0, 7),
        ("epoch/mnist-2000-p3-k7-last", Data::Mnist, 2000, 3.0, 7),
        ("epoch/mnist-2000-p2-k2-first", Data::Mnist, 2000, 2.0, 2),
        ("epoch/mnist-100-p2-k2-first", Data::Mnist, 100, 2.0, 2),
        ("epoch/cifar10-2000-p2-k2-first", Data::Cifar10, 2000, 2.0, 2),
        ("epoch/cifar10-2000-p2-k2-last", Data::Cifar10, 2000, 2.0, 2),
        ("epoch/cifar10-2000-p5-k2-first", Data::Cifar10, 2000, 5.0, 2),
        ("epoch/cifar10-2000-p5-k2-last", Data::Cifar10, 2000, 5.0, 2),
    ] {
        let definition = all.iter().find(|definition| definition.name == prefix).unwrap();
        assert_eq!((definition.data, definition.hidden), (Some(data), Some(hidden)), "{prefix}");
        assert_eq!((definition.p, definition.k), (Some(p), Some(k)), "{prefix}");
        let samples = if data == Data::Mnist { 60_000 } else { 50_000 };
        let timed = definition.iterations * definition.minibatches * definition.batch.unwrap();
        assert_eq!(timed, samples, "{prefix}: the timed minibatches are one epoch");
    }
    for kind in [Kind::Epoch, Kind::Score, Kind::Features, Kind::Readout, Kind::Bandwidth] {
        assert!(all.iter().any(|definition| definition.kind == kind), "{kind:?}");
    }
}

#[test]
fn a_scaling_benchmark_is_one_case_for_each_count() {
    let names = |threads| -> Vec<String> {
        filtered("^scaling/score", threads).unwrap().into_iter().map(|case| case.name).collect()
    };
    assert_eq!(names(1), ["scaling/score-digits-2000@1"]);
    assert_eq!(names(2), ["scaling/score-digits-2000@1", "scaling/score-digits-2000@2"]);
    assert_eq!(counts(3), [1, 2, 3]);
    assert_eq!(counts(24), [1, 2, 3, 4, 5, 6, 7, 8, 16, 24]);
    assert_eq!(filtered("^epoch/mnist-100", 5).unwrap()[0].threads, 5);
}

#[test]
fn a_filter_that_matches_nothing_is_an_error() {
    assert!(filtered("nothing like this", 1).unwrap_err().to_string().contains("found none that matches"));
    assert!(filtered("(", 1).unwrap_err().to_string().contains("expected a regular expression, found `(`"));
}

#[test]
fn the_engine_of_the_command_line_replaces_that_of_the_definition() {
    let cases = select(&Selection::default(), Engine::Dense, 1).unwrap();
    assert!(cases.iter().all(|case| case.definition.engine == Engine::Dense));
}

#[test]
fn a_definition_that_cannot_be_is_refused_with_its_place() {
    assert_eq!(parse(GOOD, "mine.toml").unwrap().len(), 1);
    for (old, new, expected) in [
        ("hidden = 20", "hiden = 20", "mine.toml line 7: expected benchmarks, found: unknown field `hiden`"),
        ("hidden = 20", "", "key `hidden` of `epoch/small`: expected given for this kind and data, found nothing"),
        ("hidden = 20", "hidden = 0", "key `hidden` of `epoch/small`: expected at least 1, found 0"),
        ("samples = 50", "", "key `samples` of `epoch/small`"),
        ("p = 2.0", "", "key `p` of `epoch/small`"),
        ("rate = 0.02", "", "key `rate` of `epoch/small`"),
        ("kind = \"epoch\"", "kind = \"score\"", "key `p` of `epoch/small`: expected only where the kind needs it"),
        ("kind = \"epoch\"", "kind = \"walk\"", "mine.toml line 4"),
        ("iterations = 3", "iterations = 0", "key `iterations`"),
        ("checksum = \"0", "checksum = \"g", "key `checksum` of `epoch/small`: expected 64 lower-case hexadecimal"),
        ("checksum = \"0", "checksum = \"", "key `checksum`"),
    ] {
        let error = parse(&GOOD.replace(old, new), "mine.toml").unwrap_err().to_string();
        assert!(error.contains(expected), "{new}: {error}");
    }
    let twice = format!("{GOOD}{GOOD}");
    assert!(parse(&twice, "mine.toml").unwrap_err().to_string().contains("found `epoch/small` twice"));
}
