//! Embeds what the program is built from: revision, state of the source tree, compiler, target and flags.
//!
//! Works without git (a tarball has revision `unknown`) and runs again only when HEAD moves or a source changes. The index
//! is not watched on purpose: every `git status` rewrites it, and staging a file does not change what is compiled.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The sources of the program and of its peers. The tree is dirty when one of these differs from HEAD.
const SOURCES: [&str; 4] = ["crates", "scripts/peers", "Cargo.toml", "Cargo.lock"];

fn main() {
    // Not `env!`: this program may be built in one worktree and run in another that shares its target folder.
    let root = Path::new(&variable("CARGO_MANIFEST_DIR")).join("../..");
    for source in SOURCES {
        watch(&root.join(source));
    }
    println!("cargo::rerun-if-changed=build.rs");

    let (revision, tree) = match inside_own_repository(&root) {
        true => {
            // The log of HEAD changes with every commit and checkout; the others cover repositories that keep no logs.
            for file in ["HEAD", "logs/HEAD", "refs/heads", "packed-refs"] {
                if let Some(path) = git(&root, &["rev-parse", "--git-path", file]) {
                    watch(&root.join(path));
                }
            }
            (git(&root, &["rev-parse", "--short=12", "HEAD"]), tree(&root))
        }
        false => (None, "unknown"),
    };
    set("RIVALRY_REVISION", revision.as_deref().unwrap_or("unknown"));
    set("RIVALRY_TREE", tree);

    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    set("RIVALRY_RUSTC", first_line(Command::new(rustc).arg("--version")).as_deref().unwrap_or("unknown"));
    set("RIVALRY_TARGET", &variable("TARGET"));
    set("RIVALRY_PROFILE", &variable("PROFILE"));
    set("RIVALRY_RUSTFLAGS", &variable("CARGO_ENCODED_RUSTFLAGS").replace('\u{1f}', " "));
}

/// A tarball unpacked inside somebody else's repository must not report their revision.
fn inside_own_repository(root: &Path) -> bool {
    let top = git(root, &["rev-parse", "--show-toplevel"]).and_then(|top| PathBuf::from(top).canonicalize().ok());
    top.is_some() && top == root.canonicalize().ok()
}

/// `dirty` when the compiled sources, tracked or new, differ from HEAD.
fn tree(root: &Path) -> &'static str {
    let mut arguments = vec!["status", "--porcelain", "--"];
    arguments.extend(SOURCES);
    match git_output(root, &arguments) {
        Some(changes) if changes.is_empty() => "clean",
        Some(_) => "dirty",
        None => "unknown",
    }
}

fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    git_output(root, arguments).map(|text| text.trim().to_string()).filter(|text| !text.is_empty())
}

fn git_output(root: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("--no-optional-locks").arg("-C").arg(root).args(arguments).output().ok()?;
    if output.status.success() { String::from_utf8(output.stdout).ok() } else { None }
}

fn first_line(command: &mut Command) -> Option<String> {
    let text = String::from_utf8(command.output().ok()?.stdout).ok()?;
    text.lines().next().map(str::to_string)
}

/// Cargo treats a watched path that does not exist as changed, so only those that exist are named.
fn watch(path: &Path) {
    if path.exists() {
        println!("cargo::rerun-if-changed={}", path.display());
    }
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

fn set(name: &str, value: &str) {
    println!("cargo::rustc-env={name}={value}");
}
