//! Settings: named experiments, files, `--set`, and every way to get them wrong.

use super::*;
use crate::error::Failure;
use crate::methods::{METHODS, method};

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

#[track_caller]
fn refused(settings: anyhow::Result<Config>, expected: &str, hint: &str) {
    let error = settings.unwrap_err();
    let found = error.downcast_ref::<Failure>().expect("a failure with a hint").hint();
    assert!(error.to_string().contains(expected), "{error}");
    assert!(found.contains(hint) && !found.is_empty() && !error.to_string().contains('\n'), "{error}\n{found}");
}

#[test]
fn named_experiments_give_every_key_and_tables_of_methods_only_what_these_use() {
    for (name, text) in NAMED {
        let config = Config::resolve(name, &[], None).unwrap();
        assert_eq!((config.experiment.as_str(), config.dataset.as_str()), (name, name));
        assert_eq!(config.published.is_some(), name != "synthetic");
        let table = parse_toml(text, name).unwrap();
        assert_eq!(table["methods"].as_table().unwrap().len(), METHODS.len() - 1, "{name}");
        for method in METHODS {
            for protocol in [Protocol::Quick, Protocol::Paper] {
                assert_eq!(Config::named(name, method, protocol, 1).unwrap().method, method);
            }
            let own = table["methods"].get(method.to_string()).and_then(Value::as_table);
            for key in own.into_iter().flatten().map(|(key, _)| key) {
                assert!(method.uses(key), "{name} {method} {key}");
            }
        }
    }
}

#[test]
fn the_mnist_protocol_is_that_of_the_paper() {
    let full = Config::named("mnist", paper(), Protocol::Paper, 3).unwrap();
    assert_eq!((full.hidden.first(), full.p, full.k, full.delta), (2000, 3.0, 7, 0.4));
    assert_eq!((full.epochs, full.batch, full.rate, full.seed), (1000, 100, 0.04, 3));
    assert_eq!((full.power_n, full.loss_m, full.readout_epochs, full.readout_batch), (4.5, 6.0, 300, 100));
    assert_eq!((full.unit_length, full.balance), (UnitLength::Readout, Balance::Off));
    assert_eq!(full.published.as_ref().unwrap().test_error_pct, 1.46);
    let quick = Config::named("mnist", paper(), Protocol::Quick, 3).unwrap();
    assert_eq!((quick.epochs, quick.readout_epochs), (100, 60));
    assert!(quick.published.as_ref().unwrap().tolerance_pct > full.published.as_ref().unwrap().tolerance_pct);
    assert_eq!(quick.differences(&full).len(), 2, "{:?}", quick.differences(&full));
}

#[test]
fn a_resolved_file_and_the_differences_from_the_named_one_give_the_same_run() {
    for sets in [
        vec![],
        vec!["hidden=500", "p=2.5", "train_samples=1000", "labels_per_class=7", "balance=1.5", "split=file-order"],
        vec!["current_scale=auto"],
        vec!["method=end-to-end", "beta=0.5", "hidden=500,300"],
        vec!["method=end-to-end-softmax"],
        vec!["method=random", "current_scale=2"],
        vec!["method=shallow", "unit_length=none"],
        vec!["experiment=mine", "dataset=/my/data"],
    ] {
        let config = resolve(&sets).unwrap();
        let again = from_text(&config.to_toml()).unwrap();
        assert_eq!(again.differences(&config), [""; 0], "{sets:?}");
        assert_eq!((again.digest(), &again.published), (config.digest(), &config.published), "{}", config.to_toml());
        let (base, changed) = config.differences_from_named();
        let changed: Vec<String> = changed.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(changed.len(), sets.len(), "{changed:?}");
        assert_eq!(Config::resolve(base, &changed, None).unwrap(), config);
    }
}

#[test]
fn the_digest_covers_what_determines_the_run_and_nothing_else() {
    let text = resolve(&[]).unwrap().to_toml();
    let digest = |text: &str| from_text(text).unwrap().digest();
    let of = digest(&text);
    assert_eq!(digest(&format!("# a comment\n{}", text.replace("1.46", "1.5"))), of, "the published figure");
    assert_eq!(digest(&text.replace("experiment = \"mnist\"", "experiment = \"mine\"")), of);
    assert_eq!(resolve(&["epochs=1000"]).unwrap().digest(), of, "as it was");
    for set in ["epochs=999", "seed=2", "balance=1", "current_scale=auto", "dataset=synthetic", "split=file-order"] {
        assert_ne!(resolve(&[set]).unwrap().digest(), of, "{set}");
    }
}

#[test]
fn sets_win_over_files_and_the_seed_flag_over_the_file() {
    let config = resolve(&["hidden=500", "k=2", "hidden=600", "dataset=/my/data", "task=parity"]).unwrap();
    assert_eq!((config.hidden.first(), config.k, config.dataset.as_str()), (600, 2, "/my/data"));
    assert_eq!(config.task, Task::Parity);
    assert_eq!(Config::resolve("mnist", &[], Some(9)).unwrap().seed, 9);
    assert_eq!(Config::resolve("mnist", &["seed=9".to_owned()], Some(9)).unwrap().seed, 9);
    refused(Config::resolve("mnist", &["seed=8".to_owned()], Some(9)), "--seed 9 and --set seed=8", "leave one out");
    refused(Config::resolve("mnist", &[], Some(u64::MAX)), "`seed` must be from 0 to 9223372036854775807", "help");
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
    assert_eq!((mine.experiment.as_str(), mine.hidden.first(), mine.power_n), ("mine", 10, 20.0));
    let mine = from_text("dataset = './mine'\nmethod = 'end-to-end'\nhidden = [30, 20]").unwrap();
    assert_eq!((mine.hidden.sizes(), mine.readout_rates.as_str()), (&[30, 20][..], "1e-3:300"));
}

#[test]
fn every_bad_value_names_key_place_and_range() {
    for (set, expected) in [
        ("hidden=0", "`hidden` must be from 2 to 16777216, not 0 (--set)"),
        ("hidden=-3", "`hidden` must be from 2 to 16777216, not -3 (--set)"),
        ("hidden=2.5", "`hidden` cannot be 2.5 (--set)"),
        ("hidden=99999999999999999999", "`hidden` cannot be"),
        ("hidden=500,x", "`hidden` cannot be \"500,x\" (--set)"),
        ("p=0.9", "`p` must be a number of at least 1, not 0.9 (--set)"),
        ("p=nan", "`p` must be a number of at least 1, not nan"),
        ("p=inf", "`p` must be a number of at least 1, not inf"),
        ("p=many", "`p` cannot be \"many\" (--set): invalid type: string \"many\", expected a number"),
        (
            "batch=many",
            "`batch` cannot be \"many\" (--set): invalid type: string \"many\", expected an integer of at least 0",
        ),
        ("k=1", "`k` must be from 2"),
        ("k=2001", "k = 2001 needs as many hidden units, there are 2000"),
        ("method=backprop", "`method` cannot be \"backprop\" (--set): there is no method `backprop`"),
        ("delta=-0.1", "`delta` must be a number of at least 0, not -0.1 (--set)"),
        ("balance=0", "`balance` must be off, or a number above 0"),
        ("balance=on", "`balance` cannot be \"on\""),
        ("rate=0", "`rate` must be a number above 0"),
        ("batch=0", "`batch` must be from 1"),
        ("unit_length=all", "`unit_length` cannot be \"all\" (--set): unknown variant `all`, expected one of `none`"),
        ("current_scale=0", "`current_scale` must be a number above 0, or auto"),
        ("train_samples=0", "`train_samples` must be from 1"),
        ("validation=1", "`validation` must be a share of at least 0 and below 1"),
        ("readout_rates=1e-3", "`readout_rates`"),
        ("loss_m=1", "`loss_m` must be a number above 1"),
        ("seed=-1", "`seed` cannot be -1 (--set)"),
        ("dataset=", "`dataset` must be mnist, cifar10, synthetic or a directory"),
        ("experiment=../x", "`experiment` must be a name of letters"),
        ("hidden", "--set takes key=value, not `hidden`"),
    ] {
        refused(resolve(&[set]), expected, "");
    }
}

#[test]
fn an_unknown_key_suggests_the_nearest() {
    for (set, suggestion) in [("hiden=5", "`hidden`"), ("bta=1", "`beta`"), ("readout_epoch=3", "`readout_epochs`")] {
        refused(resolve(&[set]), "there is no key `", suggestion);
    }
    refused(resolve(&["zzzzzzzz=1"]), "there is no key `zzzzzzzz` (--set)", "the keys are balance, batch");
    refused(from_text("dataset = 'mnist'\nhiden = 5\n"), "mine.toml line 2)", "did you mean `hidden`?");
    refused(
        Config::resolve("mnits", &[], None),
        "there is no experiment or TOML file `mnits`",
        "did you mean `mnist`?",
    );
}

#[test]
fn bad_files_are_one_line_with_the_place() {
    for (text, expected) in [
        ("dataset = 'mnist'\nhidden = = 5\n", "mine.toml line 2 is not TOML"),
        ("dataset = 'mnist'\nhidden = 1\nhidden = 2\n", "line 3 is not TOML"),
        ("hidden = 5\n", "mine.toml names no data set"),
        ("dataset = 5\n", "mine.toml names no data set"),
        ("dataset = 'mnist'\nhidden = 'many'\n", "`hidden` cannot be \"many\" ("),
        ("dataset = 'mnist'\nk = 1\n", "mine.toml line 2)"),
        ("dataset = 'mnist'\n[published]\ntest_error_pct = 1.0\n", "`published` cannot be"),
        ("dataset = 'mnist'\n[published]\nerror = 1.0\n", "unknown field `error`"),
        ("dataset = 'mnist'\npublished = 1\n", "`published` cannot be 1"),
        ("dataset = 'mnist'\nmethod = 'none'\n", "`method` cannot be \"none\""),
        ("dataset = 'mnist'\n[methods.random]\nbeta = 1.0\n", "there is no key `methods`"),
        ("dataset = 'mnist'\n[quick]\nepoch = 1\n", "there is no key `epoch`"),
        ("dataset = 'mnist'\nmethod = 'shallow'\nhidden = 5\n", "method shallow does not use `hidden`"),
    ] {
        refused(from_text(text), expected, "");
    }
    let error = Config::resolve("/no/such/file.toml", &[], None).unwrap_err();
    assert!(error.to_string().contains("/no/such/file.toml"), "{error}");
}

#[test]
fn a_method_brings_its_own_protocol() {
    let backprop = resolve(&["method=end-to-end"]).unwrap();
    assert_eq!((backprop.readout_epochs, backprop.readout_rates.as_str(), backprop.loss_m), (300, "1e-3:300", 6.0));
    assert_eq!(backprop.published.as_ref().unwrap().test_error_pct, 1.5);
    let cifar10 = Config::named("cifar10", method("end-to-end").unwrap(), Protocol::Paper, 1).unwrap();
    assert_eq!((cifar10.readout_epochs, cifar10.readout_batch), (100, 100));
    assert_eq!(cifar10.published.as_ref().unwrap().test_error_pct, 44.74);
    for control in ["end-to-end-softmax", "random", "shallow"] {
        assert!(resolve(&[&format!("method={control}")]).unwrap().published.is_none(), "nothing about {control}");
    }
    assert_eq!(resolve(&["method=random"]).unwrap().current_scale, CurrentScale::Auto);
    assert_eq!(resolve(&["method=biological"]).unwrap(), resolve(&[]).unwrap());
    let quick = Config::named("mnist", method("end-to-end").unwrap(), Protocol::Quick, 1).unwrap();
    assert_eq!((quick.readout_epochs, quick.published.unwrap().tolerance_pct), (60, 0.54));
    assert!(Config::named("mnist", method("random").unwrap(), Protocol::Quick, 1).unwrap().published.is_none());
}

#[test]
fn settings_win_over_the_protocol_of_a_method_wherever_they_stand() {
    for sets in [["readout_epochs=5", "method=end-to-end"], ["method=end-to-end", "readout_epochs=5"]] {
        let config = resolve(&sets).unwrap();
        assert_eq!((config.method, config.readout_epochs), (method("end-to-end").unwrap(), 5));
    }
    let file = from_text("dataset = 'mnist'\nreadout_epochs = 5\nmethod = 'end-to-end'\n").unwrap();
    assert_eq!((file.readout_epochs, file.readout_rates.as_str()), (5, "1e-3:300"));
    assert_eq!(resolve(&["method=random", "method=shallow"]).unwrap().method, method("shallow").unwrap());
}

#[test]
fn keys_of_one_method_are_checked_by_it_and_stand_in_its_file_and_digest() {
    for (sets, expected) in [
        (["method=slow", "w_inh=-1"], "`w_inh` cannot be -1 (--set): w_inh must be a number of at least 0"),
        (["method=slow", "h_star_of=mean"], "`h_star_of` cannot be \"mean\" (--set): unknown variant `mean`"),
        (["method=slow", "w_in=1"], "there is no key `w_in` (--set)"),
        (["method=random", "w_inh=1"], "method random does not use `w_inh` (--set)"),
        (["method=stacked", "epochs=0"], "method stacked needs epochs of at least 1"),
        (["method=stacked", "hidden=2000,5"], "k = 7 needs as many units in its layer, which has 5"),
        (["method=stacked", "layer_k=7"], "`layer_k` has 1 values, this network needs 2"),
        (["method=patches", "cells=0"], "`cells` cannot be 0 (--set): cells must be from 1 to 1024"),
        (["method=patches", "lambda=0"], "`lambda` cannot be 0 (--set): lambda must be above 0"),
        (["method=equilibrium-propagation", "free_steps=0"], "free_steps must be auto, or from 1 to 1048576"),
        (["method=equilibrium-propagation", "layer_rates=0.1"], "`layer_rates` has 1 values, this network needs 2"),
        (["method=equilibrium-propagation", "nudging=0"], "nudging must be auto, or a number that f32 holds"),
        (
            ["method=equilibrium-propagation", "nudging=1"],
            "nudging = 1 is not between -1 and 1, and updates = in-turn needs",
        ),
        (["method=equilibrium-propagation", "updates=down"], "unknown variant `down`"),
        (["method=dendritic-microcircuit", "hidden=5,5,5"], "has at most 2 hidden layers, hidden = 5-5-5 names 3"),
        (["method=dendritic-microcircuit", "average_from=2"], "average_from must be from 0 to 1"),
    ] {
        let error = resolve(&sets).unwrap_err().to_string();
        assert!(error.contains(expected), "{sets:?}: {error}");
    }
    let slow = resolve(&["method=slow", "w_inh=0.5"]).unwrap();
    assert!(slow.to_toml().contains("w_inh = 0.5\n") && !slow.to_toml().contains("free_steps"), "{}", slow.to_toml());
    assert_ne!(slow.digest(), resolve(&["method=slow"]).unwrap().digest());
    assert_eq!(slow.differences(&resolve(&["method=slow"]).unwrap()), ["w_inh 0.5 here, 0.8 there"]);
    assert_eq!(slow.differences(&resolve(&[]).unwrap()), ["method slow here, biological there"]);
}

#[test]
fn keys_that_a_method_ignores_are_refused() {
    for (set, method, hint) in [
        ("epochs=10", "end-to-end", "readout_epochs sets the epochs"),
        ("batch=10", "random", "readout_batch sets"),
        ("rate=1", "shallow", "readout_rates sets"),
        ("p=2", "end-to-end", "leave it out"),
        ("balance=2", "random", "leave it out"),
        ("beta=1", "end-to-end-softmax", "leave it out"),
        ("hidden=5", "shallow", "leave it out"),
    ] {
        let key = set.split_once('=').unwrap().0;
        let message = format!("method {method} does not use `{key}` (--set)");
        refused(resolve(&[set, &format!("method={method}")]), &message, hint);
    }
    assert!(resolve(&["method=random", "p=2", "hidden=3"]).is_ok(), "k = 7 of 3 units ranks nobody");
    for method in ["end-to-end", "end-to-end-softmax", "shallow"] {
        let settings = resolve(&["readout_epochs=0", &format!("method={method}")]);
        refused(settings, "needs readout_epochs of at least 1", "no hidden layer");
    }
}
