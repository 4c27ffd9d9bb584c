//! Which instruction sets the other tests ran on. They loop over [`Kernels::all`]; what is missing there is said aloud
//! here, and is a failure if `RIVALRY_REQUIRE_ISA` (names, comma separated) asks for it.

use rivalry_core::{Compute, Kernels, ops};
use std::io::Write;

#[test]
fn instruction_sets_that_are_required_are_here_and_others_are_named() {
    let here: Vec<&str> = Kernels::all().iter().map(|kernels| kernels.name()).collect();
    let required = std::env::var("RIVALRY_REQUIRE_ISA").unwrap_or_default();
    for name in required.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        assert!(here.contains(&name), "RIVALRY_REQUIRE_ISA: expected {name}, this machine has {}", here.join(", "));
    }
    for name in Kernels::NAMES.iter().filter(|name| !here.contains(name)) {
        // Not `eprintln!`, which the test harness would swallow; in one piece, so that no other test writes in between.
        let line = format!("\n!! SKIPPED {name} kernels: this CPU lacks the instructions\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}

#[test]
fn tables_are_named_fastest_first() {
    let all = Kernels::all();
    let names: Vec<&str> = all.iter().map(|kernels| kernels.name()).collect();
    let known: Vec<&str> = Kernels::NAMES.into_iter().filter(|name| names.contains(name)).collect();
    assert_eq!(names, known);
    assert_eq!(names.last(), Some(&"portable"));
    for kernels in &all {
        assert!(std::ptr::eq(*kernels, Kernels::named(kernels.name()).unwrap()));
        assert_eq!(format!("{kernels:?}"), format!("Kernels({})", kernels.name()));
    }
    assert!(std::ptr::eq(Kernels::best(), all[0]) && std::ptr::eq(Kernels::named("auto").unwrap(), all[0]));
}

#[test]
fn the_peak_counts_what_every_thread_did() {
    for kernels in Kernels::all() {
        let [one, three] = [1, 3].map(|threads| ops::peak(&Compute::new(Some(threads), kernels).unwrap(), 100));
        assert!(one > 0 && one % (2 * 16 * 100) == 0 && three == 3 * one, "{}: {one}, {three}", kernels.name());
        assert_eq!(ops::peak(&Compute::new(Some(1), kernels).unwrap(), 0), 0);
    }
}
