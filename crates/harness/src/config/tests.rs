//! Settings: named experiments, files, `--set`, and every way to get them wrong.

use super::*;
use crate::failure::Failure;

fn resolve(sets: &[&str]) -> anyhow::Result<Config> {
    let sets: Vec<String> = sets.iter().map(ToString::to_string).collect();
    Config::resolve("mnist", &sets, None)
}

fn from_text(text: &str) -> anyhow::Result<Config> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    std::fs::write(&path, text).unwrap();
    Config::resolve(&path.to_string_lossy(), &[], None)
}

fn hint(error: &anyhow::Error) -> String {
    error.downcast_ref::<Failure>().expect("a failure with a hint").hint().to_owned()
}

#[test]
fn named_experiments_give_every_key() {
    for name in ["mnist", "cifar10", "synthetic"] {
        let text = match name {
            "mnist" => include_str!("../../experiments/mnist.toml"),
            "cifar10" => include_str!("../../experiments/cifar10.toml"),
            _ => include_str!("../../experiments/synthetic.toml"),
        };
        let table: toml::Table = text.parse().unwrap();
        for key in keys::KEYS {
            assert!(table.contains_key(key), "{name} has no {key}");
        }
        let experiment = Config::resolve(name, &[], None).unwrap();
        assert_eq!((experiment.experiment.as_str(), experiment.dataset.as_str()), (name, name));
        assert_eq!(experiment.published.is_some(), name != "synthetic");
    }
}

#[test]
fn the_mnist_protocol_is_that_of_the_paper() {
    let paper = Config::named("mnist", Method::Biological, Protocol::Paper, 3).unwrap();
    assert_eq!((paper.hidden, paper.p, paper.k, paper.delta), (2000, 3.0, 7, 0.4));
    assert_eq!((paper.epochs, paper.batch, paper.rate, paper.seed), (1000, 100, 0.04, 3));
    assert_eq!((paper.power_n, paper.loss_m, paper.readout_epochs, paper.readout_batch), (4.5, 6.0, 300, 100));
    assert_eq!(paper.unit_length, UnitLength::Readout);
    assert_eq!(paper.published.as_ref().unwrap().test_error_pct, 1.46);
    let quick = Config::named("mnist", Method::Biological, Protocol::Quick, 3).unwrap();
    assert_eq!((quick.epochs, quick.readout_epochs), (100, 60));
    let tolerance = quick.published.as_ref().unwrap().tolerance_pct;
    assert!(tolerance > paper.published.as_ref().unwrap().tolerance_pct);
    assert_eq!(quick.differences(&paper).len(), 3, "{:?}", quick.differences(&paper));
}

#[test]
fn a_resolved_file_gives_the_same_experiment() {
    for sets in [
        vec![],
        vec!["hidden=500", "p=2.5", "train_samples=1000", "labels_per_class=7"],
        vec!["current_scale=auto"],
        vec!["method=end-to-end", "beta=0.5"],
        vec!["method=end-to-end-softmax"],
        vec!["method=random", "current_scale=2"],
        vec!["method=shallow", "unit_length=none"],
    ] {
        let experiment = resolve(&sets).unwrap();
        let again = from_text(&experiment.to_toml()).unwrap();
        assert_eq!(again, experiment, "{sets:?}");
        assert_eq!(again.digest(), experiment.digest());
    }
}

#[test]
fn sets_win_over_files_and_the_seed_flag_over_the_file() {
    let experiment = resolve(&["hidden=500", "k=2", "hidden=600", "dataset=/my/data", "task=parity"]).unwrap();
    assert_eq!((experiment.hidden, experiment.k, experiment.dataset.as_str()), (600, 2, "/my/data"));
    assert_eq!(experiment.task, Task::Parity);
    assert_eq!(Config::resolve("mnist", &[], Some(9)).unwrap().seed, 9);
    assert_eq!(Config::resolve("mnist", &["seed=9".to_owned()], Some(9)).unwrap().seed, 9);
    let error = Config::resolve("mnist", &["seed=8".to_owned()], Some(9)).unwrap_err();
    assert!(error.to_string().contains("--seed 9 and --set seed=8"), "{error}");
}

#[test]
fn a_published_figure_stays_with_its_network() {
    assert!(resolve(&["epochs=3", "beta=1"]).unwrap().published.is_some());
    for set in ["hidden=500", "dataset=synthetic", "task=half", "train_samples=5000", "labels_per_class=10"] {
        assert!(resolve(&[set]).unwrap().published.is_none(), "{set}");
    }
    assert!(from_text("dataset = 'mnist'").unwrap().published.is_none());
}

#[test]
fn a_file_starts_from_the_protocol_of_its_data_set() {
    let mine = from_text("dataset = 'cifar10'\nhidden = 10").unwrap();
    assert_eq!((mine.experiment.as_str(), mine.hidden, mine.power_n), ("mine", 10, 20.0));
    let mine = from_text("dataset = './mine'\np = 2").unwrap();
    assert_eq!((mine.p, mine.power_n), (2.0, 4.5));
}

#[test]
fn every_bad_value_names_key_place_expected_and_found() {
    let cases = [
        ("hidden=0", "key `hidden` in --set: expected a whole number from 2 to 16777216, found \"0\""),
        ("hidden=2.5", "key `hidden` in --set: expected a whole number"),
        ("hidden=99999999999999999999", "expected a whole number from 2"),
        ("p=0.9", "key `p` in --set: expected a number of at least 1, found \"0.9\""),
        ("p=nan", "key `p` in --set: expected a number of at least 1"),
        ("p=inf", "expected a number of at least 1"),
        ("k=1", "key `k` in --set: expected a whole number from 2"),
        ("method=backprop", "expected one of biological, end-to-end, end-to-end-softmax, random, shallow, found"),
        ("k=2001", "key `k`: expected at most hidden = 2000, found 2001"),
        ("delta=-0.1", "key `delta` in --set: expected a number of at least 0, found \"-0.1\""),
        ("rate=0", "key `rate` in --set: expected a number above 0"),
        ("batch=0", "key `batch` in --set: expected a whole number from 1"),
        ("unit_length=all", "expected one of none, readout, both, found \"all\""),
        ("current_scale=0", "expected a number above 0, or auto"),
        ("train_samples=0", "expected a whole number from 1, or all"),
        ("validation=1", "expected a share of at least 0 and below 1"),
        ("readout_rates=1e-3", "key `readout_rates` in --set: expected rates with increasing end epochs"),
        ("loss_m=1", "expected a number above 1"),
        ("seed=-1", "key `seed` in --set: expected a whole number from 0"),
        ("dataset=", "key `dataset` in --set: expected a text"),
        ("experiment=../x", "expected a name of letters"),
        ("hidden", "--set: expected key=value, found `hidden`"),
    ];
    for (set, expected) in cases {
        let error = resolve(&[set]).unwrap_err();
        assert!(error.to_string().contains(expected), "{set}: {error}");
        assert!(!hint(&error).is_empty() && !error.to_string().contains('\n'));
    }
}

#[test]
fn an_unknown_key_suggests_the_nearest() {
    for (set, suggestion) in [("hiden=5", "`hidden`"), ("bta=1", "`beta`"), ("readout_epoch=3", "`readout_epochs`")] {
        let error = resolve(&[set]).unwrap_err();
        assert!(error.to_string().contains("found `"), "{error}");
        assert!(hint(&error).contains(suggestion), "{set}: {}", hint(&error));
    }
    assert!(!hint(&resolve(&["zzzzzzzz=1"]).unwrap_err()).contains("did you mean"));
    let error = from_text("dataset = 'mnist'\nhiden = 5\n").unwrap_err();
    assert!(
        error.to_string().contains("mine.toml: expected a known one") && hint(&error).contains("`hidden`"),
        "{error}"
    );
    let error = Config::resolve("mnits", &[], None).unwrap_err();
    assert_eq!(hint(&error), "did you mean `mnist`?");
}

#[test]
fn bad_files_are_one_line_with_the_place() {
    let cases = [
        ("dataset = 'mnist'\nhidden = = 5\n", "mine.toml line 2: expected TOML"),
        ("dataset = 'mnist'\nhidden = 1\nhidden = 2\n", "line 3: expected TOML"),
        ("hidden = 5\n", "key `dataset` in"),
        ("dataset = 5\n", "key `dataset` in"),
        ("dataset = 'mnist'\nhidden = 'many'\n", "expected a whole number from 2 to 16777216, found \"many\""),
        ("dataset = 'mnist'\n[published]\ntest_error_pct = 1.0\n", "[published] in"),
        ("dataset = 'mnist'\n[published]\nerror = 1.0\n", "expected a known one, found `error`"),
        ("dataset = 'mnist'\npublished = 1\n", "found `published`"),
        ("dataset = 'mnist'\nmethod = 'none'\n", "key `method` in"),
        ("dataset = 'mnist'\n[methods.random]\nbeta = 1.0\n", "found `methods`"),
        ("dataset = 'mnist'\n[quick]\nepoch = 1\n", "found `epoch`"),
    ];
    for (text, expected) in cases {
        let error = from_text(text).unwrap_err();
        assert!(error.to_string().contains(expected), "{text:?}: {error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
    let error = Config::resolve("/no/such/file.toml", &[], None).unwrap_err();
    assert!(error.to_string().contains("/no/such/file.toml"), "{error}");
}

#[test]
fn rates_fall_linearly_to_almost_nothing() {
    let experiment = resolve(&["epochs=4"]).unwrap();
    let rates: Vec<f32> = (0..4).map(|epoch| experiment.rate_of_epoch(epoch)).collect();
    assert_eq!(rates, [0.04, 0.03, 0.02, 0.01]);
}

#[test]
fn a_method_brings_its_own_protocol() {
    let rival = resolve(&["method=end-to-end"]).unwrap();
    assert_eq!((rival.readout_epochs, rival.readout_batch, rival.readout_rates.as_str()), (300, 100, "1e-3:300"));
    assert_eq!((rival.loss_m, rival.hidden), (6.0, 2000));
    assert_eq!(rival.published.as_ref().unwrap().test_error_pct, 1.5);
    let sets = ["method=end-to-end".to_owned()];
    let cifar10 = Config::resolve("cifar10", &sets, None).unwrap();
    assert_eq!((cifar10.readout_epochs, cifar10.readout_batch), (100, 100));
    assert_eq!(cifar10.readout_rates, "4e-3:50,1e-3:60,5e-4:70,2e-4:80,1e-4:90,1e-5:100");
    assert_eq!(cifar10.published.as_ref().unwrap().test_error_pct, 44.74);
    for control in ["end-to-end-softmax", "random", "shallow"] {
        let control = resolve(&[&format!("method={control}")]).unwrap();
        assert!(control.published.is_none(), "nothing is published about {}", control.method);
    }
    assert_eq!(resolve(&["method=random"]).unwrap().current_scale, CurrentScale::Auto);
    assert_eq!(resolve(&["method=biological"]).unwrap(), resolve(&[]).unwrap());

    let quick = Config::named("mnist", Method::EndToEnd, Protocol::Quick, 1).unwrap();
    assert_eq!((quick.readout_epochs, quick.published.unwrap().tolerance_pct), (60, 0.54));
    assert!(Config::named("mnist", Method::Random, Protocol::Quick, 1).unwrap().published.is_none());
}

#[test]
fn settings_win_over_the_protocol_of_a_method_wherever_they_stand() {
    for sets in [["readout_epochs=5", "method=end-to-end"], ["method=end-to-end", "readout_epochs=5"]] {
        let experiment = resolve(&sets).unwrap();
        assert_eq!((experiment.method, experiment.readout_epochs), (Method::EndToEnd, 5));
    }
    let file = from_text("dataset = 'mnist'\nreadout_epochs = 5\nmethod = 'end-to-end'\n").unwrap();
    assert_eq!((file.readout_epochs, file.readout_rates.as_str()), (5, "1e-3:300"));
    assert_eq!(resolve(&["method=random", "method=shallow"]).unwrap().method, Method::Shallow);
}

#[test]
fn keys_that_a_method_ignores_are_refused() {
    for (set, method, expected) in [
        ("epochs=10", "end-to-end", "readout_epochs sets the epochs"),
        ("batch=10", "random", "readout_batch sets"),
        ("rate=1", "shallow", "readout_rates sets"),
        ("p=2", "end-to-end", "leave it out"),
        ("beta=1", "end-to-end-softmax", "leave it out"),
        ("hidden=5", "shallow", "leave it out"),
    ] {
        let error = resolve(&[set, &format!("method={method}")]).unwrap_err();
        let key = set.split_once('=').unwrap().0;
        let message = format!("key `{key}` in --set: expected a key that method {method} uses, found one it ignores");
        assert_eq!(error.to_string(), message);
        assert!(hint(&error).starts_with(expected), "{}", hint(&error));
    }
    assert!(resolve(&["method=random", "p=2", "hidden=3"]).is_ok(), "k = 7 of 3 units ranks nobody");
    for method in ["end-to-end", "end-to-end-softmax", "shallow"] {
        let error = resolve(&["readout_epochs=0", &format!("method={method}")]).unwrap_err();
        assert!(error.to_string().contains("key `readout_epochs`: expected at least 1"), "{error}");
    }
}

#[test]
fn tables_of_methods_hold_only_what_these_use() {
    for name in ["mnist", "cifar10", "synthetic"] {
        let text = std::fs::read_to_string(format!("experiments/{name}.toml")).unwrap();
        let table: toml::Table = text.parse().unwrap();
        let methods = table["methods"].as_table().unwrap();
        for (method, changes) in methods {
            let method: Method = method.parse().unwrap();
            for key in changes.as_table().unwrap().keys().filter(|key| *key != "published") {
                assert!(keys::KEYS.contains(&key.as_str()) && method.uses(key), "{name} {method} {key}");
            }
        }
        assert_eq!(methods.len(), 4, "{name}");
    }
}
