//! `rivalry data list|fetch|verify`: which data sets are there, how to get one, and whether its content is right.

use rivalry_data::{Fetched, Lookup, Name, State, Status, Verified};
use serde_json::{Value, json};

use crate::cli::{Common, DataAction, DataArgs, SetName};
use crate::output;
use crate::progress;

/// Runs the command.
pub(crate) fn run(args: &DataArgs, common: &Common) -> anyhow::Result<()> {
    let mut lookup = crate::dataset::lookup(common)?;
    let answer = match &args.action {
        DataAction::List => list(&rivalry_data::list(&lookup)),
        DataAction::Fetch { name, from } => {
            lookup.from.clone_from(from);
            fetch(name_of(*name), &lookup, common)?
        }
        DataAction::Verify { name } => verify(&rivalry_data::verify(name_of(*name), &lookup)?),
    };
    output::result(&if common.json { serde_json::to_string_pretty(&answer.json)? + "\n" } else { answer.text })
}

/// The same answer for people and for programs.
struct Answer {
    text: String,
    json: Value,
}

fn name_of(name: SetName) -> Name {
    match name {
        SetName::Mnist => Name::Mnist,
        SetName::Cifar10 => Name::Cifar10,
        SetName::Synthetic => Name::Synthetic,
    }
}

fn list(sets: &[Status]) -> Answer {
    let mut text = String::new();
    let mut json = Vec::new();
    for Status { name, state } in sets {
        let (word, place, missing) = match state {
            State::BuiltIn => ("built-in", "generated, needs no files".to_owned(), &[][..]),
            State::Present { directory } => ("present", directory.display().to_string(), &[][..]),
            State::Incomplete { directory, missing } => {
                ("incomplete", format!("{} has no {}", directory.display(), missing.join(", no ")), &missing[..])
            }
            State::Missing => ("missing", format!("run `rivalry data fetch {name}`"), &[][..]),
        };
        let directory = match state {
            State::Present { directory } | State::Incomplete { directory, .. } => Some(directory.display().to_string()),
            State::BuiltIn | State::Missing => None,
        };
        text.push_str(&format!("{:<11}{word:<12}{place}\n", name.as_str()));
        json.push(json!({ "name": name.as_str(), "state": word, "directory": directory, "missing": missing }));
    }
    Answer { text, json: json.into() }
}

fn fetch(name: Name, lookup: &Lookup, common: &Common) -> anyhow::Result<Answer> {
    Ok(fetched_answer(name, &rivalry_data::fetch(name, lookup, &mut progress::bytes(common))?))
}

fn fetched_answer(name: Name, fetched: &Fetched) -> Answer {
    let (word, directory) = match fetched {
        Fetched::BuiltIn => ("built-in", None),
        Fetched::Present { directory } => ("present", Some(directory.display().to_string())),
        Fetched::Downloaded { directory } => ("downloaded", Some(directory.display().to_string())),
    };
    let place = directory.as_deref().unwrap_or("generated, needs no files");
    Answer {
        text: format!("{:<11}{word:<12}{place}\n", name.as_str()),
        json: json!({ "name": name.as_str(), "state": word, "directory": directory }),
    }
}

fn verify(files: &[Verified]) -> Answer {
    let mut text = String::new();
    let mut json = Vec::new();
    for Verified { file, path, bytes, sha256 } in files {
        let place = if path.as_os_str().is_empty() { "generated".to_owned() } else { path.display().to_string() };
        text.push_str(&format!("ok  {file:<25}{bytes:>10} bytes  sha256 {sha256}  {place}\n"));
        json.push(json!({ "file": file, "path": place, "bytes": bytes, "sha256": sha256, "ok": true }));
    }
    Answer { text, json: json.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_a_line_and_an_object() {
        let status = |name, state| Status { name, state };
        let missing = vec!["test_batch.bin".to_owned()];
        let answer = list(&[
            status(Name::Mnist, State::Present { directory: "data/mnist".into() }),
            status(Name::Cifar10, State::Incomplete { directory: "data/cifar10".into(), missing }),
            status(Name::Cifar10, State::Missing),
            status(Name::Synthetic, State::BuiltIn),
        ]);
        let lines: Vec<&str> = answer.text.lines().collect();
        assert_eq!(lines[0], "mnist      present     data/mnist");
        assert_eq!(lines[1], "cifar10    incomplete  data/cifar10 has no test_batch.bin");
        assert_eq!(lines[2], "cifar10    missing     run `rivalry data fetch cifar10`");
        assert_eq!(lines[3], "synthetic  built-in    generated, needs no files");
        assert_eq!(answer.json[0]["directory"], "data/mnist");
        assert_eq!(answer.json[1]["missing"], json!(["test_batch.bin"]));
        assert_eq!(answer.json[2]["directory"], Value::Null);
        assert_eq!(answer.json[3]["state"], "built-in");
    }

    #[test]
    fn fetching_says_where_the_files_are() {
        let answer = fetched_answer(Name::Mnist, &Fetched::Downloaded { directory: "data/mnist".into() });
        assert_eq!(answer.text, "mnist      downloaded  data/mnist\n");
        assert_eq!(answer.json, json!({ "name": "mnist", "state": "downloaded", "directory": "data/mnist" }));
        let answer = fetched_answer(Name::Mnist, &Fetched::Present { directory: "x".into() });
        assert_eq!(answer.json["state"], "present");
        let answer = fetched_answer(Name::Synthetic, &Fetched::BuiltIn);
        assert_eq!(answer.text, "synthetic  built-in    generated, needs no files\n");
    }

    #[test]
    fn verified_files_have_their_digest() {
        let file = |path: &str| Verified { file: "a".into(), path: path.into(), bytes: 12, sha256: "beef".into() };
        let answer = verify(&[file("dir/a"), file("")]);
        let lines: Vec<&str> = answer.text.lines().collect();
        assert!(lines[0].starts_with("ok  a ") && lines[0].ends_with("12 bytes  sha256 beef  dir/a"), "{}", lines[0]);
        assert!(lines[1].ends_with("generated"), "{}", lines[1]);
        assert_eq!(answer.json[0], json!({ "file": "a", "path": "dir/a", "bytes": 12, "sha256": "beef", "ok": true }));
    }

    #[test]
    fn names_on_the_command_line_are_those_of_the_catalog() {
        use clap::ValueEnum;
        for name in SetName::value_variants() {
            assert_eq!(name.to_possible_value().unwrap().get_name(), name_of(*name).as_str());
        }
    }

    #[test]
    fn the_page_about_the_data_has_the_digests_of_the_catalog() {
        let page = include_str!("../../../../data/README.md");
        for set in Name::ALL.into_iter().filter_map(Name::set) {
            for archive in set.archives {
                assert!(page.contains(&archive.bytes.to_string()), "length of {}", archive.name);
                assert!(archive.mirrors.iter().all(|mirror| page.contains(mirror)), "mirrors of {}", archive.name);
            }
            for (_, file) in set.files() {
                let row = page.lines().find(|line| line.starts_with(&format!("| `{}` |", file.name)));
                assert!(row.is_some_and(|row| row.contains(file.sha256)), "{}", file.name);
            }
        }
    }
}
