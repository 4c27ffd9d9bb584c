//! Data on the command line: where sets are found.

mod common;

use common::Place;

const MNIST: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// A first run without `data/` downloads to the user's cache folder and then makes `data/` for its results.
#[test]
fn a_download_in_the_users_cache_is_found_once_data_exists() {
    let place = Place::new();
    for name in MNIST {
        place.write(&format!("cache/rivalry/mnist/{name}"), "");
    }
    for with_data in [false, true] {
        if with_data {
            place.write("data/runs/note.txt", "a folder of results");
        }
        let listed = place.run(&["data", "list", "--json", "--offline"]).succeeded();
        let sets: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
        assert_eq!(sets[0]["state"], "present", "data/ there: {with_data}: {sets}");
        let found = place.file("cache/rivalry/mnist");
        assert_eq!(sets[0]["directory"], found.display().to_string());
    }
}
