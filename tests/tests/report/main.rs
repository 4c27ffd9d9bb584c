//! `rivalry report`: one page that holds every number and picture, fetches nothing and runs nothing, whatever the files that
//! it is made of say. The page is read with a strict XML parser, so an element that is not closed is an error here.

#[path = "../common/mod.rs"]
mod common;
mod fabricated;

use std::fs;
use std::path::Path;

use common::{Place, write_digits};
use fabricated::{HOSTILE, fabricated, row};
use rivalry::rows::{ResultRow, to_csv};
use roxmltree::{Document, Node, ParsingOptions};

fn parse(page: &str) -> Document<'_> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(page, options).unwrap_or_else(|error| panic!("not well-formed: {error}"))
}

fn text(node: Node<'_, '_>) -> String {
    node.descendants().filter_map(|node| if node.is_text() { node.text() } else { None }).collect()
}

/// The cells of every row whose first cell is `name`.
fn rows(page: &Document<'_>, name: &str) -> Vec<Vec<String>> {
    let cells = |row: Node<'_, '_>| row.children().filter(Node::is_element).map(text).collect::<Vec<_>>();
    let all = page.descendants().filter(|node| node.has_tag_name("tr")).map(cells);
    all.filter(|cells| cells.first().is_some_and(|first| first == name)).collect()
}

fn elements<'a>(page: &'a Document<'_>, name: &str) -> Vec<Node<'a, 'a>> {
    page.descendants().filter(|node| node.is_element() && node.tag_name().name() == name).collect()
}

/// Nothing that a browser would fetch or run.
fn fetches_nothing(page: &Document<'_>) {
    for node in page.descendants().filter(Node::is_element) {
        let name = node.tag_name().name();
        assert!(!["script", "link", "iframe", "object", "embed", "base", "use", "image"].contains(&name), "{name}");
        for attribute in node.attributes() {
            let (key, value) = (attribute.name(), attribute.value());
            match key {
                "src" => assert!(value.starts_with("data:image/png;base64,"), "{value}"),
                "href" => assert!(value.starts_with('#'), "{value}"),
                _ => assert!(!key.starts_with("on") && key != "srcset" && key != "action", "{key}={value}"),
            }
            assert!(!value.contains("url("), "{key}={value}");
        }
    }
    let style: String = elements(page, "style").into_iter().map(text).collect();
    assert!(!style.is_empty() && !style.contains("url(") && !style.contains("@import"));
    let policy = elements(page, "meta").iter().any(|meta| {
        meta.attribute("http-equiv") == Some("Content-Security-Policy")
            && meta.attribute("content").is_some_and(|policy| policy.starts_with("default-src 'none'"))
    });
    assert!(policy);
}

fn page_of(place: &Place, arguments: &[&str], out: &str) -> String {
    let ended = place.run(arguments).succeeded();
    assert!(ended.stdout.contains(out), "{}", ended.stdout);
    fs::read_to_string(place.file(out)).unwrap()
}

#[test]
fn the_page_holds_numbers_plots_pictures_and_origins() {
    let place = fabricated();
    let ended = place.run(&["report", "all"]).succeeded();
    assert_eq!(ended.stdout, "report      all/report.html (11 runs, 1 unfinished)\n");
    assert!(ended.stderr.contains("note: old.csv is not used: the column `task` is missing"), "{}", ended.stderr);
    let html = fs::read_to_string(place.file("all/report.html")).unwrap();
    let page = parse(&html);
    fetches_nothing(&page);

    // Data set, method, units, published, ours, difference, train error, seeds, on the sphere.
    let mnist = rows(&page, "mnist");
    assert_eq!(
        mnist[0],
        ["mnist", "biological", "60", "2000", "1.46", "1.84 ± 0.02", "+0.38", "0.30 ± 0.00", "3", "1850"]
    );
    assert_eq!(mnist[1][1..7], ["end-to-end", "60", "2000", "1.50", "1.55", "+0.05"]);
    // A sweep has a column for what is varied; one method needs none.
    assert_eq!(rows(&page, "2")[0], ["2", "2.10 ± 0.14", "2"]);
    // The failed point: counted beside its group, shown with its reason as text.
    assert_eq!(rows(&page, "4")[0][2], "2 (1 failed)");
    let failed =
        rows(&page, "biological, p 4").into_iter().filter(|cells| cells.contains(&format!("failed: {HOSTILE}")));
    assert_eq!(failed.count(), 1);
    let shaded: Vec<Node<'_, '_>> =
        elements(&page, "tr").into_iter().filter(|row| row.attribute("class") == Some("failed")).collect();
    assert!(shaded.len() == 1 && text(shaded[0]).contains(HOSTILE), "{shaded:?}");
    let notes: Vec<String> = elements(&page, "p").into_iter().map(text).collect();
    let note = |start: &str| notes.iter().any(|note| note.starts_with(start));
    assert!(note("Published, mnist biological and mnist end-to-end: a paper (second-hand, two sources)."), "{notes:?}");
    assert!(note("The settings of these rows were taken from the TOML files"), "{notes:?}");

    // The paper's tables, then its figures, then the rest.
    let headings: Vec<String> = elements(&page, "h2").into_iter().map(text).collect();
    assert_eq!(headings, ["The paper's tables", "The paper's figures", "Unfinished and unused", "Machines and data"]);
    // Curves of both methods in one figure, the sweep, the convergence of the one method that learns a layer.
    let captions: Vec<String> = elements(&page, "figcaption").into_iter().map(text).collect();
    let figure = |start: &str| captions.iter().find(|caption| caption.starts_with(start)).unwrap();
    for line in ["biological: training (0.11 %)", "biological: test (1.11 %)", "end-to-end: test (1.11 %)"] {
        assert!(figure("mnist: error over epochs").contains(line), "{captions:?}");
    }
    assert!(figure("p-sweep on mnist: test error against p").contains("biological"));
    for line in ["on the p-sphere (90.00 %)", "negative mean weight (3.50 %)"] {
        assert!(figure("mnist, biological: hidden units over the unsupervised").contains(line), "{captions:?}");
    }
    assert_eq!(elements(&page, "svg").len(), 3);

    let pictures = elements(&page, "img");
    assert_eq!(pictures.len(), 4, "one of each run folder");
    assert!(pictures[0].attribute("alt").unwrap().contains("1850 of 2000 units on the sphere, test error 1.83 %"));
    assert!(pictures[0].attribute("src").unwrap().starts_with("data:image/png;base64,iVBORw0KGgo"));
    let folded = |node: &Node<'_, '_>| node.ancestors().any(|above| above.has_tag_name("details"));
    assert!(!folded(&pictures[0]) && pictures[1..].iter().all(folded));

    // Every run folder has a confusion matrix, folded with the single runs.
    assert_eq!(rows(&page, "0"), vec![vec!["0", "9", "1", "10.0 %"]; 4]);
    let matrix = elements(&page, "caption").into_iter().find(|caption| text(*caption).contains("true class")).unwrap();
    assert!(folded(&matrix) && text(matrix).starts_with("biological, seed 1"));

    let unfinished = &rows(&page, "runs/<script>begun")[0];
    assert_eq!(unfinished[1..], ["mnist", "biological", "4", "no checkpoint yet"]);
    assert!(rows(&page, "old.csv")[0][1].starts_with("the column task is missing"));

    let all = text(page.root());
    for expected in [
        "rivalry train mnist --set epochs=100 --set readout_epochs=60 --seed 1   # and --seed 2, 3",
        "rivalry sweep p-sweep",
        "0123456789ab (changed)",
        "2026-02-01 to 2026-02-03",
        "rustc 1.95.0",
        "d1ce",
        "cpu  another <script>",
        "A CPU <script>",
    ] {
        assert!(all.contains(expected), "no {expected:?} in\n{all}");
    }
    assert!(!html.contains("<script") && !html.contains(&*place.path().to_string_lossy()));
}

#[test]
fn the_same_files_give_the_same_page() {
    let place = fabricated();
    let first = page_of(&place, &["report", "all", "--html", "one.html"], "one.html");
    let second = page_of(&place, &["report", "all", "--html", "two.html"], "two.html");
    assert_eq!(first, second);
    let listing = place.listing();
    page_of(&place, &["report", "all", "--html", "two.html"], "two.html");
    assert_eq!(place.listing(), listing, "replaced, and nothing left beside it");
}

#[test]
fn json_names_the_page_and_counts_the_runs() {
    let place = fabricated();
    let ended = place.run(&["report", "all", "--json", "--quiet"]).succeeded();
    let value: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(value, serde_json::json!({ "out": Path::new("all").join("report.html"), "runs": 11 }));
    assert_eq!(ended.stderr, "");
}

#[test]
fn a_number_from_memory_is_said_to_be_one() {
    let place = Place::new();
    let row = row("biological", 1, 50.0, 49.25, "a paper (from memory, not read)");
    place.write("all/rows.csv", to_csv(&[row]));
    let html = page_of(&place, &["report", "all"], "all/report.html");
    let cells = rows(&parse(&html), "mnist").remove(0);
    assert_eq!(cells[4..7], ["49.25 (from memory)", "50.00", "+0.75"]);
    assert!(html.contains("Published, mnist biological: a paper (from memory, not read)."));
}

#[test]
fn what_has_to_be_known_about_a_number_stands_below_the_table() {
    let place = Place::new();
    let first = ResultRow { err: "other digits <b>".to_owned(), ..row("biological", 1, 2.0, 1.46, "a paper") };
    let held_out = ResultRow { test_error_pct: None, validation_error_pct: Some(2.5), ..first.clone() };
    let shallow = ResultRow { method: "shallow".to_owned(), hidden: None, err: String::new(), ..held_out };
    place.write("all/one/result.csv", to_csv(std::slice::from_ref(&first)));
    place.write("all/rows.csv", to_csv(&[shallow]));
    let html = page_of(&place, &["report", "all"], "all/report.html");
    let page = parse(&html);
    let notes: Vec<String> = elements(&page, "p").into_iter().map(text).collect();
    assert!(notes.iter().any(|note| note == "other digits <b>"), "{notes:?}");
    assert!(notes.iter().any(|note| note == "No picture in 1 run folder: one."), "{notes:?}");
    // An error of held-out examples is a search, and no published number stands beside the table of the paper.
    assert_eq!(rows(&page, "mnist").iter().filter(|cells| cells[1] != "d1ce").count(), 1);
    let headings: Vec<String> = elements(&page, "h2").into_iter().map(text).collect();
    assert_eq!(headings, ["The paper's tables", "Searches", "Machines and data"]);
    assert!(text(page.root()).contains("mnist, held-out examples: 1 point, best 2.50 % (shallow)"));
    assert!(text(page.root()).contains("The row does not hold every setting"));
}

#[test]
fn runs_of_one_seed_that_disagree_are_refused_by_name() {
    let place = Place::new();
    place.write("all/a/rows.csv", to_csv(&[row("biological", 1, 2.0, 1.46, "a paper")]));
    place.write("all/b/rows.csv", to_csv(&[row("biological", 1, 3.0, 1.46, "a paper")]));
    for arguments in [&["report", "all"][..], &["report", "all", "--pictures", "pictures"]] {
        let ended = place.run(arguments);
        ended.failed_with("two runs of seed 1 disagree: a/rows.csv (2 %, weights 00000000");
        assert!(ended.stderr.contains("b/rows.csv (3 %"), "{}", ended.stderr);
    }
    place.write("d.md", "<!-- results:begin accuracy from a b -->\n<!-- results:end -->\n");
    place.run(&["report", "all", "--splice", "d.md"]).failed_with("two runs of seed 1 disagree");
    // Each alone is fine.
    place.write("d.md", "<!-- results:begin accuracy from a -->\n<!-- results:end -->\n");
    place.run(&["report", "all", "--splice", "d.md"]).succeeded();
    assert!(fs::read_to_string(place.file("d.md")).unwrap().contains("2.00"));
}

#[test]
fn runs_as_train_leaves_them_are_reported() {
    let place = Place::new();
    write_digits(&place, "digits", 50, 20);
    for method in ["biological", "shallow"] {
        let method_key = format!("method={method}");
        let out = format!("runs/{method}");
        let mut arguments = vec!["train", "mnist", "--out", &out, "--set", "dataset=digits", "--set", &method_key];
        let layer: &[&str] = if method == "shallow" { &[] } else { &["hidden=20", "batch=10", "epochs=3"] };
        for set in layer.iter().chain(&["readout_batch=10", "readout_epochs=3"]) {
            arguments.extend(["--set", set]);
        }
        place.run(&arguments).succeeded();
    }
    let ended = place.run(&["report", "runs"]).succeeded();
    assert_eq!(
        (ended.stdout.as_str(), ended.stderr.as_str()),
        ("report      runs/report.html (2 runs, 0 unfinished)\n", "")
    );
    let html = fs::read_to_string(place.file("runs/report.html")).unwrap();
    let page = parse(&html);
    fetches_nothing(&page);
    let result = fs::read_to_string(place.file("runs/biological/result.csv")).unwrap();
    let error: f64 = {
        let column = |line: usize| result.lines().nth(line).unwrap().split(',').map(str::to_owned).collect::<Vec<_>>();
        let index = column(0).iter().position(|name| name == "test_error_pct").unwrap();
        column(1)[index].parse().unwrap()
    };
    assert_eq!(rows(&page, "mnist on digits")[0][4], format!("{error:.2}"));
    assert_eq!((elements(&page, "img").len(), elements(&page, "svg").len()), (1, 2));
    let all = text(page.root());
    assert!(all.contains("rivalry train mnist --set batch=10 --set dataset=digits --set epochs=3"), "{all}");
    assert!(!all.contains("No picture"), "a network without hidden layer has none to miss");
}

#[test]
fn tables_are_put_into_a_document_from_the_records_that_it_names() {
    let place = Place::new();
    let of = |errors: [f64; 2]| {
        to_csv(&errors.map(|error| row("biological", (error * 10.0) as u64, error, 1.46, "a paper")))
    };
    place.write("runs/mnist-paper/old/rows.csv", of([1.5, 1.7]));
    place.write("runs/mnist-paper/new/rows.csv", of([2.5, 2.7]));
    let document = "above\n<!-- results:begin accuracy from mnist-paper/old -->\nold\n<!-- results:end -->\nbelow\n";
    place.write("README.md", document);
    let check = ["report", "runs", "--splice", "README.md", "--check"];
    let ended = place.run(&check);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stderr.contains("README.md differs from its records in the table accuracy"), "{}", ended.stderr);
    assert!(ended.stderr.contains("renew it: rivalry report runs --splice README.md"), "{}", ended.stderr);
    assert_eq!(fs::read_to_string(place.file("README.md")).unwrap(), document);
    let ended = place.run(&["report", "runs", "--splice", "README.md"]).succeeded();
    assert_eq!(ended.stderr, "README.md: renewed accuracy\n");
    let spliced = fs::read_to_string(place.file("README.md")).unwrap();
    assert!(
        spliced.starts_with("above\n<!-- results:begin accuracy from mnist-paper/old -->\n\n| data set"),
        "{spliced}"
    );
    assert!(spliced.contains("1.60 ± 0.14") && !spliced.contains("2.50"), "the record that is named: {spliced}");
    assert!(spliced.ends_with("\n<!-- results:end -->\nbelow\n") && !spliced.contains("\nold\n"), "{spliced}");
    assert!(!place.file("runs/report.html").exists());
    assert_eq!(place.run(&check).succeeded().stderr, "README.md agrees with its records\n");
    for (marker, expected) in [
        ("speed from mnist-paper/old", "the records of the table `speed` hold no rows of it (they hold mnist)"),
        ("accuracy from mnist-paper/old only shallow", "hold no row of the method `shallow`"),
        ("accuracy from mnist-paper/gone", "names the record mnist-paper/gone, and there is no such folder"),
        ("accuracy", "does not name a table and its records"),
    ] {
        place.write("other.md", format!("<!-- results:begin {marker} -->\n<!-- results:end -->\n"));
        place.run(&["report", "runs", "--splice", "other.md"]).failed_with(expected);
    }
}

#[test]
fn a_sweep_is_put_into_a_document_and_drawn_as_a_picture() {
    let place = fabricated();
    place.write("README.md", "<!-- results:begin p-sweep from record -->\n<!-- results:end -->\n");
    place.run(&["report", "all", "--splice", "README.md"]).succeeded();
    let spliced = fs::read_to_string(place.file("README.md")).unwrap();
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let line = spliced.lines().find(|line| cells(line).get(1).is_some_and(|first| first == "2")).unwrap();
    assert_eq!(cells(line)[1..4], ["2", "2.10 ± 0.14", "2"], "{spliced}");
    assert!(spliced.contains("\nThe settings of these rows were taken from the TOML files of their revision.\n"));

    let ended = place.run(&["report", "all", "--pictures", "pictures"]).succeeded();
    assert!(ended.stderr.ends_with("p-sweep-p.svg\n"), "{}", ended.stderr);
    let svg = fs::read_to_string(place.file("pictures/p-sweep-p.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("test error (%)") && svg.contains("biological"), "{svg}");
    assert_eq!(fs::read_dir(place.file("pictures")).unwrap().count(), 1);
}

#[test]
fn what_cannot_be_reported_is_one_line() {
    let place = fabricated();
    place.run(&["report", "gone"]).failed_with("the folder gone cannot be read");
    place.run(&["report", "all/old.csv"]).failed_with("all/old.csv is a file, a report is about a folder");
    place.write("empty/notes.txt", "nothing\n");
    place.run(&["report", "empty"]).failed_with("empty holds no run and no table of results");
    place.write("stale/rows.csv", "experiment,dataset,method,other\n");
    place.run(&["report", "stale"]).failed_with("can be used (rows.csv: the column `task` is missing");
    let before = place.listing();
    place.run(&["report", "all", "--html", "no/such/page.html"]).failed_with("cannot write no/such/page.html");
    place.run(&["report", "all", "--html", "empty"]).failed_with("empty is a folder, not a file");
    assert_eq!(place.listing(), before, "nothing was left behind");
    let usage = place.run(&["report"]);
    assert_eq!((usage.code, usage.stdout.as_str()), (Some(2), ""));
}
