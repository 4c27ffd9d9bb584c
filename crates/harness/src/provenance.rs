//! What ran, where and when: revision, build, machine, date. It stands beside every result, so that a number can be traced.
//!
//! The build's part is embedded by `build.rs`; the machine's part is read when asked for ([`machine`]). Whatever cannot
//! be found out is `unknown` or left empty, never guessed, and never an error: provenance must not stop a run.

pub mod machine;
pub mod peak;

use serde::Serialize;

pub use machine::{Cache, Machine};

use crate::failure::failure;

/// Everything about one process that could explain its results or its speed; `env.json` of a run folder.
#[derive(Debug, Clone, Serialize)]
pub struct Provenance {
    /// Start, UTC, to the second (RFC 3339).
    pub date: String,
    /// What the program was built from, and how.
    pub build: Build,
    /// Where it runs.
    pub machine: Machine,
    /// Instruction set of the kernels in use.
    pub isa: String,
    /// Threads in use.
    pub threads: usize,
}

/// What the program was built from, and how.
#[derive(Debug, Clone, Serialize)]
pub struct Build {
    /// Version of the package.
    pub version: &'static str,
    /// Commit (12 hexadecimal digits), or `unknown` for a build outside a repository.
    pub revision: &'static str,
    /// Whether the compiled sources differ from that commit; empty outside a repository.
    pub dirty: Option<bool>,
    /// Compiler, as it names itself.
    pub rustc: &'static str,
    /// Target triple.
    pub target: &'static str,
    /// Kind of build.
    pub profile: Profile,
    /// Extra compiler flags, separated by spaces.
    pub rustflags: &'static str,
}

/// Kind of build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// With debug assertions and overflow checks: its times mean nothing.
    Debug,
    /// Fully optimised.
    Release,
}

impl Profile {
    /// `debug` or `release`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Release => "release",
        }
    }
}

impl Build {
    /// Reads what `build.rs` embedded.
    pub fn current() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            revision: env!("RIVALRY_REVISION"),
            dirty: match env!("RIVALRY_TREE") {
                "clean" => Some(false),
                "dirty" => Some(true),
                _ => None,
            },
            rustc: env!("RIVALRY_RUSTC"),
            target: env!("RIVALRY_TARGET"),
            profile: match env!("RIVALRY_PROFILE") {
                "release" => Profile::Release,
                _ => Profile::Debug,
            },
            rustflags: env!("RIVALRY_RUSTFLAGS"),
        }
    }

    /// The cell of the CSV column `dirty`: `true`, `false`, or empty where there is no repository to compare with.
    pub fn dirty_cell(&self) -> &'static str {
        match self.dirty {
            Some(true) => "true",
            Some(false) => "false",
            None => "",
        }
    }

    fn state(&self) -> &'static str {
        match self.dirty {
            Some(true) => "with uncommitted changes",
            Some(false) => "clean",
            None => "not built in a git repository",
        }
    }
}

impl Provenance {
    /// Looks at the build, the machine and the clock, for a run with kernels `isa` on `threads` threads.
    pub fn collect(isa: &str, threads: usize) -> Self {
        Self {
            date: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            build: Build::current(),
            machine: Machine::current(),
            isa: isa.to_owned(),
            threads,
        }
    }

    /// Content of `env.json`: every field, indented, with a newline at the end.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("strings and numbers always serialise");
        text.push('\n');
        text
    }

    /// Content of `machine.txt`, also what `rivalry info` prints: one `name  value` line per field.
    pub fn to_text(&self) -> String {
        let (build, machine) = (&self.build, &self.machine);
        let mut lines = vec![("date", self.date.clone()), ("host", machine.host.clone()), ("os", machine.os.clone())];
        lines.push(("cpu", format!("{} ({} logical)", machine.cpu, machine.logical_cpus)));
        if !machine.caches.is_empty() {
            lines.push(("caches", machine.caches.iter().map(Cache::to_string).collect::<Vec<_>>().join(", ")));
        }
        if !machine.extensions.is_empty() {
            lines.push(("extensions", machine.extensions.join(" ")));
        }
        if let Some(memory) = machine.memory_mib {
            lines.push(("memory", format!("{memory} MiB")));
        }
        if let Some([one, five, fifteen]) = machine.load_average {
            lines.push(("load", format!("{one:.2} {five:.2} {fifteen:.2} (mean of 1, 5, 15 minutes)")));
        }
        lines.push(("isa", self.isa.clone()));
        lines.push(("threads", self.threads.to_string()));
        lines.push(("revision", format!("{} ({})", build.revision, build.state())));
        lines.push(("rustc", build.rustc.to_owned()));
        lines.push(("build", format!("rivalry {} for {}, {}", build.version, build.target, build.profile.name())));
        if !build.rustflags.is_empty() {
            lines.push(("rustflags", build.rustflags.to_owned()));
        }
        lines.iter().map(|(name, value)| format!("{name:<12}{value}\n")).collect()
    }

    /// Name of the folder of a record: `<date>-<host>-<rev>`, with nothing in it that a file system could refuse.
    pub fn record_folder(&self) -> String {
        let date = self.date.split('T').next().unwrap_or_default();
        format!("{date}-{}-{}", file_name(&self.machine.host), file_name(self.build.revision))
    }

    /// Checks that a result of this process may become a record.
    ///
    /// # Errors
    ///
    /// The build is a debug build, has uncommitted changes, or does not know its revision: nobody could repeat it.
    pub fn refuse_record(&self) -> anyhow::Result<()> {
        let build = &self.build;
        let (found, hint) = match (build.profile, build.dirty) {
            (Profile::Debug, _) => ("found a debug build".to_owned(), "build with `cargo build --release`"),
            (_, Some(true)) => {
                (format!("found uncommitted changes on top of {}", build.revision), "commit, then build and run again")
            }
            (_, None) => ("found a build outside a git repository".to_owned(), "build in a clone of the repository"),
            (Profile::Release, Some(false)) => return Ok(()),
        };
        Err(failure(format!("record: expected a release build of a clean revision, {found}"), hint))
    }
}

/// Keeps letters, digits, dots and underscores; everything else becomes an underscore (a hyphen separates the parts).
fn file_name(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn releasable() -> Provenance {
        let mut provenance = Provenance::collect("avx2", 2);
        provenance.build.revision = "0123456789ab";
        provenance.build.profile = Profile::Release;
        provenance.build.dirty = Some(false);
        provenance
    }

    #[test]
    fn date_is_utc_to_the_second() {
        let date = Provenance::collect("portable", 1).date;
        assert_eq!(date.len(), "2026-01-01T00:00:00Z".len(), "{date}");
        let parsed: jiff::Timestamp = date.parse().unwrap();
        assert!(parsed.as_second().abs_diff(jiff::Timestamp::now().as_second()) <= 60, "{date}");
    }

    #[test]
    fn build_knows_compiler_target_and_profile() {
        let build = Build::current();
        assert!(build.rustc.starts_with("rustc "), "{}", build.rustc);
        assert!(build.target.contains('-'), "{}", build.target);
        assert_eq!(build.profile == Profile::Debug, cfg!(debug_assertions));
        assert!(build.revision == "unknown" || build.revision.len() == 12, "{}", build.revision);
        assert_eq!(build.revision == "unknown", build.dirty.is_none());
    }

    #[test]
    fn json_holds_every_field() {
        let value: serde_json::Value = serde_json::from_str(&releasable().to_json()).unwrap();
        for pointer in ["/date", "/build/revision", "/build/dirty", "/build/rustc", "/build/profile", "/machine/cpu"] {
            assert!(!value.pointer(pointer).unwrap_or(&serde_json::Value::Null).is_null(), "{pointer} in {value}");
        }
        assert_eq!(value["build"]["profile"], "release");
        assert_eq!(value["threads"], 2);
    }

    #[test]
    fn text_has_one_line_per_field() {
        let mut provenance = releasable();
        provenance.build.rustflags = "-C target-cpu=native";
        let text = provenance.to_text();
        for line in
            ["isa         avx2\n", "threads     2\n", "revision    0123456789ab (clean)\n", "rustflags   -C target-"]
        {
            assert!(text.contains(line), "no {line:?} in\n{text}");
        }
    }

    #[test]
    fn record_folder_is_date_host_revision() {
        let mut provenance = releasable();
        provenance.date = "2026-02-03T04:05:06Z".to_owned();
        provenance.machine.host = "my-host/../x".to_owned();
        assert_eq!(provenance.record_folder(), "2026-02-03-my_host_.._x-0123456789ab");
    }

    #[test]
    fn a_record_needs_a_clean_release_build() {
        assert!(releasable().refuse_record().is_ok());
        let refusals = [
            (Profile::Debug, Some(false), "debug", "--release"),
            (Profile::Release, Some(true), "uncommitted changes on top of 0123456789ab", "commit"),
            (Profile::Release, None, "outside a git repository", "clone"),
        ];
        for (profile, dirty, found, hint) in refusals {
            let mut provenance = releasable();
            provenance.build.profile = profile;
            provenance.build.dirty = dirty;
            let error = provenance.refuse_record().unwrap_err();
            let failure = error.downcast_ref::<crate::failure::Failure>().unwrap();
            assert!(failure.to_string().contains(found), "{failure}");
            assert!(failure.hint().contains(hint), "{}", failure.hint());
        }
    }
}
