//! The environment of a run: revision, build, machine and date. It stands beside every result, so that a number can be
//! traced to what made it.
//!
//! `build.rs` embeds the facts of the build; the facts of the machine are read at run time. A fact that cannot be found
//! is `unknown` or left out. It is never guessed, and never an error: a missing fact must not stop a run.

use std::path::Path;

use rivalry_core::Kernels;
use serde::Serialize;
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

use crate::compute::Compute;
use crate::error::failure;

/// The vector extensions that are listed, as Linux spells them: those that kernels use or may come to use.
const EXTENSIONS: &str = "avx f16c fma avx2 avx_vnni avx512f avx512bw avx512vl avx512_vnni avx512_bf16 amx_tile amx_int8 \
    asimd asimddp";

/// Everything about one process that could explain its results or its speed; the content of `env.json`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Environment {
    /// Start of the process, UTC, to the second (RFC 3339).
    pub(crate) date: String,
    pub(crate) build: Build,
    pub(crate) machine: Machine,
    pub(crate) isa: String,
    pub(crate) threads: usize,
}

/// What the program was built from, and how.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Build {
    pub(crate) version: &'static str,
    /// Commit (12 hexadecimal digits), or `unknown` for a build outside a repository.
    pub(crate) revision: &'static str,
    /// Whether the compiled sources differ from that commit; empty outside a repository.
    pub(crate) dirty: Option<bool>,
    pub(crate) rustc: &'static str,
    pub(crate) target: &'static str,
    /// `release`, or `debug`, whose times are not comparable.
    pub(crate) profile: &'static str,
    /// Extra compiler flags, separated by spaces.
    pub(crate) rustflags: &'static str,
}

/// Where a process runs.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Machine {
    pub(crate) host: String,
    /// Operating system and kernel.
    pub(crate) os: String,
    pub(crate) cpu: String,
    /// CPUs that this process may use.
    pub(crate) logical_cpus: usize,
    /// Data caches of the first core, from small to large.
    pub(crate) caches: Vec<Cache>,
    /// Vector extensions of the CPU.
    pub(crate) extensions: Vec<String>,
    pub(crate) memory_mib: Option<u64>,
    /// Mean number of runnable processes over the last 1, 5 and 15 minutes. A high load spoils timings.
    pub(crate) load_average: Option<[f64; 3]>,
}

/// One data or unified cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Cache {
    /// 1 is next to the core.
    pub(crate) level: u32,
    pub(crate) size_kib: u64,
}

impl Environment {
    /// Reads the build, the machine and the clock, for a run with the kernels `isa` on `threads` threads.
    pub(crate) fn collect(isa: &str, threads: usize) -> Self {
        Self {
            date: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            build: Build::current(),
            machine: Machine::current(),
            isa: isa.to_owned(),
            threads,
        }
    }

    /// As [`Environment::collect`], for the kernels and threads in use.
    pub(crate) fn of(compute: &Compute) -> Self {
        Self::collect(compute.core.kernels().name(), compute.core.threads())
    }

    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("strings and numbers always serialise") + "\n"
    }

    /// Content of `machine.txt`, also what `rivalry info` prints: one line `name  value` per field.
    pub(crate) fn to_text(&self) -> String {
        let (build, machine) = (&self.build, &self.machine);
        let state = match build.dirty {
            Some(true) => "with uncommitted changes",
            Some(false) => "clean",
            None => "not built in a git repository",
        };
        let load =
            |[one, five, fifteen]: [f64; 3]| format!("{one:.2} {five:.2} {fifteen:.2} (mean of 1, 5, 15 minutes)");
        let cache = |cache: &Cache| format!("L{} {} KiB", cache.level, cache.size_kib);
        let caches = machine.caches.iter().map(cache).collect::<Vec<_>>().join(", ");
        let lines = [
            ("date", self.date.clone()),
            ("host", machine.host.clone()),
            ("os", machine.os.clone()),
            ("cpu", format!("{} ({} logical)", machine.cpu, machine.logical_cpus)),
            ("caches", caches),
            ("extensions", machine.extensions.join(" ")),
            ("memory", machine.memory_mib.map_or(String::new(), |memory| format!("{memory} MiB"))),
            ("load", machine.load_average.map_or(String::new(), load)),
            ("isa", self.isa.clone()),
            ("threads", self.threads.to_string()),
            ("revision", format!("{} ({state})", build.revision)),
            ("rustc", build.rustc.to_owned()),
            ("build", format!("rivalry {} for {}, {}", build.version, build.target, build.profile)),
            ("rustflags", build.rustflags.to_owned()),
        ];
        let known = lines.iter().filter(|(_, value)| !value.is_empty());
        known.map(|(name, value)| format!("{name:<12}{value}\n")).collect()
    }

    /// Name of the folder of a record: `<date>-<cpu>-<rev>`, where `<cpu>` is [`cpu_slug`] with the best instruction set.
    pub(crate) fn record_folder(&self) -> String {
        let date = self.date.split('T').next().unwrap_or_default();
        format!("{date}-{}-{}", cpu_slug(&self.machine.cpu, Kernels::best().name()), self.build.revision)
    }

    /// Checks that a result of this process may become a record.
    ///
    /// # Errors
    /// The build is a debug build, has uncommitted changes, or does not know its revision: nobody could repeat it.
    pub(crate) fn refuse_record(&self) -> anyhow::Result<()> {
        let build = &self.build;
        let (message, hint) = match build.dirty {
            _ if build.is_debug() => {
                ("a debug build cannot write a record".to_owned(), "build with `cargo build --release`")
            }
            Some(true) => (
                format!("a build with uncommitted changes on top of {} cannot write a record", build.revision),
                "commit, then build and run again",
            ),
            None => (
                "a build outside a git repository cannot write a record".to_owned(),
                "build in a clone of the repository",
            ),
            Some(false) => return Ok(()),
        };
        Err(failure(message, hint))
    }
}

impl Build {
    /// The facts that `build.rs` embedded.
    pub(crate) fn current() -> Self {
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
            profile: env!("RIVALRY_PROFILE"),
            rustflags: env!("RIVALRY_RUSTFLAGS"),
        }
    }

    pub(crate) fn is_debug(&self) -> bool {
        self.profile != "release"
    }

    /// The cell of the CSV column `dirty`: `true`, `false`, or empty where there is no repository to compare with.
    pub(crate) fn dirty_cell(&self) -> &'static str {
        match self.dirty {
            Some(true) => "true",
            Some(false) => "false",
            None => "",
        }
    }
}

impl Machine {
    pub(crate) fn current() -> Self {
        let system = System::new_with_specifics(RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing())).ok();
        let brand = system.as_ref().and_then(|system| Some(system.cpus().first()?.brand().trim().to_owned()));
        let known = |text: Option<String>| text.filter(|text| !text.is_empty()).unwrap_or_else(|| "unknown".to_owned());
        let load = System::load_average().ok();
        let os = [System::long_os_version().ok(), System::kernel_version().ok()];
        Self {
            host: known(System::host_name().ok()),
            os: known(Some(os.into_iter().flatten().collect::<Vec<_>>().join(", "))),
            cpu: known(brand),
            logical_cpus: std::thread::available_parallelism().map_or(1, |count| count.get()),
            caches: caches(),
            extensions: extensions(&read(Path::new("/proc/cpuinfo")).unwrap_or_default()),
            memory_mib: memory_mib(),
            load_average: load.map(|load| [load.one, load.five, load.fifteen]),
        }
    }
}

/// The memory of the machine.
pub(crate) fn memory_mib() -> Option<u64> {
    let memory = MemoryRefreshKind::nothing().with_ram();
    let system = System::new_with_specifics(RefreshKind::nothing().with_memory(memory)).ok()?;
    Some(system.total_memory() >> 20).filter(|&mib| mib > 0)
}

/// The CPU as a part of a file name: its brand and its best instruction set, such as `intel-xeon-avx512`.
///
/// Trade marks, the words "CPU" and "Processor", the clock rate ("@ 2.70GHz"), the number of cores ("64-Core") and a
/// graphics unit ("with Radeon Graphics") are left out; letters are lower case, and a dash separates the words.
pub(crate) fn cpu_slug(brand: &str, isa: &str) -> String {
    let brand = brand.to_lowercase().replace("(r)", " ").replace("(tm)", " ");
    let name = brand.split('@').next().unwrap_or_default().split(" with ").next().unwrap_or_default();
    let words =
        name.split_whitespace().filter(|word| !matches!(*word, "cpu" | "processor") && !word.ends_with("-core"));
    let text = words.chain([isa]).collect::<Vec<_>>().join("-");
    text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

/// The flags of the first CPU that are among [`EXTENSIONS`].
fn extensions(cpuinfo: &str) -> Vec<String> {
    let flags = cpuinfo.lines().find(|line| line.starts_with("flags") || line.starts_with("Features")).unwrap_or("");
    let has = |name: &&str| flags.split_whitespace().any(|flag| flag == *name);
    EXTENSIONS.split_whitespace().filter(has).map(str::to_owned).collect()
}

/// The data caches of the first core, where Linux tells them.
fn caches() -> Vec<Cache> {
    let folder = Path::new("/sys/devices/system/cpu/cpu0/cache");
    let of = |index: usize| {
        let value = |name: &str| read(&folder.join(format!("index{index}/{name}")));
        cache(&value("level")?, &value("type")?, &value("size")?)
    };
    let mut caches: Vec<Cache> = (0..16).filter_map(of).collect();
    caches.sort_by_key(|cache| cache.level);
    caches
}

/// One cache as /sys describes it; nothing for an instruction cache.
fn cache(level: &str, kind: &str, size: &str) -> Option<Cache> {
    let (size, unit) = match size.strip_suffix('M') {
        Some(mib) => (mib, 1024),
        None => (size.strip_suffix('K')?, 1),
    };
    let cache = Cache { level: level.parse().ok()?, size_kib: size.parse::<u64>().ok()?.checked_mul(unit)? };
    (kind != "Instruction").then_some(cache)
}

fn read(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn releasable() -> Environment {
        let mut environment = Environment::collect("avx2", 2);
        environment.build.revision = "0123456789ab";
        environment.build.profile = "release";
        environment.build.dirty = Some(false);
        environment
    }

    #[test]
    fn date_build_and_machine_are_known() {
        let Environment { date, build, machine, .. } = Environment::collect("portable", 1);
        let parsed: jiff::Timestamp = date.parse().unwrap();
        assert!(parsed.as_second().abs_diff(jiff::Timestamp::now().as_second()) <= 60, "{date}");
        assert_eq!(date.len(), "2026-01-01T00:00:00Z".len(), "{date}");
        assert!(build.rustc.starts_with("rustc ") && build.target.contains('-'), "{build:?}");
        assert_eq!(build.is_debug(), cfg!(debug_assertions));
        assert!(build.revision == "unknown" || build.revision.len() == 12, "{}", build.revision);
        assert_eq!(build.revision == "unknown", build.dirty.is_none());
        assert!(!machine.os.is_empty() && machine.logical_cpus >= 1, "{machine:?}");
        if cfg!(target_os = "linux") {
            assert!(machine.cpu != "unknown" && machine.memory_mib > Some(0), "{machine:?}");
            assert!(machine.load_average.is_some(), "{machine:?}");
        }
    }

    #[test]
    fn json_and_text_hold_every_field() {
        let mut environment = releasable();
        environment.build.rustflags = "-C target-cpu=native";
        environment.machine.caches = vec![Cache { level: 1, size_kib: 48 }, Cache { level: 2, size_kib: 2048 }];
        let value: serde_json::Value = serde_json::from_str(&environment.to_json()).unwrap();
        for pointer in ["/date", "/build/revision", "/build/dirty", "/build/rustc", "/build/profile", "/machine/cpu"] {
            assert!(!value.pointer(pointer).unwrap_or(&serde_json::Value::Null).is_null(), "{pointer} in {value}");
        }
        assert_eq!((value["build"]["profile"].as_str(), value["threads"].as_u64()), (Some("release"), Some(2)));
        let text = environment.to_text();
        for line in [
            "isa         avx2\n",
            "threads     2\n",
            "caches      L1 48 KiB, L2 2048 KiB\n",
            "revision    0123456789ab (clean)\n",
            "rustflags   -C target-",
        ] {
            assert!(text.contains(line), "no {line:?} in\n{text}");
        }
    }

    #[test]
    fn a_record_is_named_after_the_cpu() {
        for (brand, isa, slug) in [
            ("Intel(R) Xeon(R) Processor", "avx512", "intel-xeon-avx512"),
            ("AMD EPYC", "avx2", "amd-epyc-avx2"),
            ("Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz", "amx", "intel-xeon-platinum-8481c-amx"),
            ("13th Gen Intel(R) Core(TM) i7-1360P", "avx2", "13th-gen-intel-core-i7-1360p-avx2"),
            ("AMD EPYC 7B13 64-Core Processor", "avx2", "amd-epyc-7b13-avx2"),
            ("AMD Ryzen 7 PRO 4750U with Radeon Graphics", "avx2", "amd-ryzen-7-pro-4750u-avx2"),
            ("Neoverse-N1/../x", "portable", "neoverse-n1-x-portable"),
            ("unknown", "portable", "unknown-portable"),
        ] {
            assert_eq!(cpu_slug(brand, isa), slug, "{brand}");
        }
        let mut environment = releasable();
        environment.date = "2026-02-03T04:05:06Z".to_owned();
        environment.machine.cpu = "AMD EPYC".to_owned();
        let isa = Kernels::best().name();
        assert_eq!(environment.record_folder(), format!("2026-02-03-amd-epyc-{isa}-0123456789ab"));
    }

    #[test]
    fn a_record_needs_a_clean_release_build() {
        assert!(releasable().refuse_record().is_ok());
        for (profile, dirty, found, hint) in [
            ("debug", Some(false), "a debug build", "--release"),
            ("release", Some(true), "uncommitted changes on top of 0123456789ab", "commit"),
            ("release", None, "outside a git repository", "clone"),
        ] {
            let mut environment = releasable();
            (environment.build.profile, environment.build.dirty) = (profile, dirty);
            let error = environment.refuse_record().unwrap_err();
            let failure = error.downcast_ref::<crate::error::Failure>().unwrap();
            assert!(failure.to_string().contains(found) && failure.hint().contains(hint), "{failure:?}");
        }
    }

    #[test]
    fn extensions_and_caches_are_read() {
        assert_eq!(extensions("model name\t: x\nflags\t\t: fpu avx2 avx512f fma\n"), ["fma", "avx2", "avx512f"]);
        assert_eq!(extensions("Features\t: fp asimd asimddp\n"), ["asimd", "asimddp"]);
        assert!(extensions("").is_empty());
        assert_eq!(cache("1", "Data", "48K"), Some(Cache { level: 1, size_kib: 48 }));
        assert_eq!(cache("3", "Unified", "260M"), Some(Cache { level: 3, size_kib: 260 * 1024 }));
        assert_eq!(cache("1", "Instruction", "32K"), None);
        assert_eq!(cache("1", "Data", "large"), None);
    }
}
