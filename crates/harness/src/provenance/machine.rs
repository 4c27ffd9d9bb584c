//! The machine: CPU, caches, vector extensions, memory, load, operating system, host name.
//!
//! Linux answers through /proc and /sys, macOS through `sysctl` and `uname`. The texts are parsed by functions over
//! strings, so that other machines' answers can be tested here.

use std::fmt;
use std::path::Path;
use std::process::Command;

use serde::Serialize;

/// Names the machine in records instead of its host name, which in a container is a random number.
pub const HOST_VARIABLE: &str = "RIVALRY_HOST";

/// What is wanted to know of a CPU's flags, as Linux spells them: those that kernels here use or may come to use.
const EXTENSIONS: [&str; 14] = [
    "avx",
    "f16c",
    "fma",
    "avx2",
    "avx_vnni",
    "avx512f",
    "avx512bw",
    "avx512vl",
    "avx512_vnni",
    "avx512_bf16",
    "amx_tile",
    "amx_int8",
    "asimd",
    "asimddp",
];

/// Where a process runs.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// Host name, or the value of `RIVALRY_HOST`.
    pub host: String,
    /// Operating system and kernel.
    pub os: String,
    /// Model of the CPU.
    pub cpu: String,
    /// CPUs that this process may use.
    pub logical_cpus: usize,
    /// Data caches of the first core, from small to large.
    pub caches: Vec<Cache>,
    /// Vector extensions of the CPU.
    pub extensions: Vec<String>,
    /// Memory of the machine.
    pub memory_mib: Option<u64>,
    /// Mean number of runnable processes over the last 1, 5 and 15 minutes; a high one spoils timings.
    pub load_average: Option<[f64; 3]>,
}

/// One data or unified cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Cache {
    /// 1 is next to the core.
    pub level: u32,
    /// Size in KiB.
    pub size_kib: u64,
}

impl fmt::Display for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "L{} {} KiB", self.level, self.size_kib)
    }
}

impl Machine {
    /// Looks at the machine that this process runs on.
    pub fn current() -> Self {
        let cpuinfo = read("/proc/cpuinfo").unwrap_or_default();
        Self {
            host: host(),
            os: os(),
            cpu: cpu_model(&cpuinfo).or_else(|| sysctl("machdep.cpu.brand_string")).unwrap_or_else(unknown),
            logical_cpus: std::thread::available_parallelism().map_or(1, |count| count.get()),
            caches: caches(),
            extensions: extensions(&cpuinfo),
            memory_mib: memory_mib(),
            load_average: read("/proc/loadavg").or_else(|| sysctl("vm.loadavg")).and_then(|text| load_average(&text)),
        }
    }
}

fn host() -> String {
    let named = std::env::var(HOST_VARIABLE).ok().filter(|name| !name.trim().is_empty());
    named.or_else(|| read("/proc/sys/kernel/hostname")).or_else(|| output("hostname", &[])).unwrap_or_else(unknown)
}

fn os() -> String {
    let name = read("/etc/os-release").and_then(|text| pretty_name(&text));
    let kernel = output("uname", &["-sr"]);
    match (name, kernel) {
        (Some(name), Some(kernel)) => format!("{name}, {kernel}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => std::env::consts::OS.to_owned(),
    }
}

fn pretty_name(os_release: &str) -> Option<String> {
    let value = os_release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(value.trim_matches('"').to_owned())
}

/// x86 names its model; Arm only numbers who made it and which part it is.
fn cpu_model(cpuinfo: &str) -> Option<String> {
    cpuinfo_value(cpuinfo, "model name").map(str::to_owned).or_else(|| {
        let implementer = cpuinfo_value(cpuinfo, "CPU implementer")?;
        Some(format!("Arm implementer {implementer} part {}", cpuinfo_value(cpuinfo, "CPU part")?))
    })
}

fn extensions(cpuinfo: &str) -> Vec<String> {
    let flags = cpuinfo_value(cpuinfo, "flags").or_else(|| cpuinfo_value(cpuinfo, "Features")).unwrap_or_default();
    let has = |name: &&str| flags.split_whitespace().any(|flag| flag == *name);
    EXTENSIONS.iter().copied().filter(has).map(str::to_owned).collect()
}

fn cpuinfo_value<'a>(cpuinfo: &'a str, name: &str) -> Option<&'a str> {
    cpuinfo.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then_some(value.trim())
    })
}

fn caches() -> Vec<Cache> {
    let folder = Path::new("/sys/devices/system/cpu/cpu0/cache");
    let mut caches: Vec<Cache> = (0..16)
        .filter_map(|index| {
            let value = |name: &str| read(folder.join(format!("index{index}/{name}")));
            cache(&value("level")?, &value("type")?, &value("size")?)
        })
        .collect();
    if caches.is_empty() {
        let named = [(1, "hw.l1dcachesize"), (2, "hw.l2cachesize"), (3, "hw.l3cachesize")];
        let bytes = |name| sysctl(name).and_then(|text| text.parse::<u64>().ok()).filter(|&bytes| bytes > 0);
        caches =
            named.iter().filter_map(|&(level, name)| Some(Cache { level, size_kib: bytes(name)? / 1024 })).collect();
    }
    caches.sort_by_key(|cache| cache.level);
    caches
}

/// One cache as /sys describes it, `None` for an instruction cache.
fn cache(level: &str, kind: &str, size: &str) -> Option<Cache> {
    if kind == "Instruction" {
        return None;
    }
    let size_kib = match size.strip_suffix('M') {
        Some(mib) => mib.parse::<u64>().ok()?.checked_mul(1024)?,
        None => size.strip_suffix('K')?.parse().ok()?,
    };
    Some(Cache { level: level.parse().ok()?, size_kib })
}

fn memory_mib() -> Option<u64> {
    let total =
        |text: String| Some(cpuinfo_value(&text, "MemTotal")?.strip_suffix("kB")?.trim().parse::<u64>().ok()? / 1024);
    let bytes = |text: String| text.parse::<u64>().ok().map(|bytes| bytes >> 20);
    read("/proc/meminfo").and_then(total).or_else(|| sysctl("hw.memsize").and_then(bytes))
}

/// `0.10 0.20 0.30 1/234 567` on Linux, `{ 0.10 0.20 0.30 }` on macOS.
fn load_average(text: &str) -> Option<[f64; 3]> {
    let mut numbers = text.split_whitespace().filter_map(|word| word.parse::<f64>().ok());
    Some([numbers.next()?, numbers.next()?, numbers.next()?])
}

fn sysctl(name: &str) -> Option<String> {
    if cfg!(target_os = "macos") { output("sysctl", &["-n", name]) } else { None }
}

fn read(path: impl AsRef<Path>) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned()).filter(|text| !text.is_empty())
}

fn unknown() -> String {
    "unknown".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_described() {
        let machine = Machine::current();
        assert!(!machine.host.is_empty() && !machine.os.is_empty() && !machine.cpu.is_empty());
        assert!(machine.logical_cpus >= 1);
        assert!(machine.caches.windows(2).all(|pair| pair[0].level <= pair[1].level), "{:?}", machine.caches);
        if cfg!(target_os = "linux") {
            assert!(machine.memory_mib > Some(0) && machine.load_average.is_some());
        }
    }

    #[test]
    fn x86_and_arm_name_their_cpu() {
        let x86 = "processor\t: 0\nmodel name\t: AMD EPYC\nflags\t\t: fpu avx2 avx512f fma\n\nmodel name\t: other\n";
        assert_eq!(cpu_model(x86).as_deref(), Some("AMD EPYC"));
        assert_eq!(extensions(x86), ["fma", "avx2", "avx512f"]);
        let arm = "Features\t: fp asimd asimddp\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n";
        assert_eq!(cpu_model(arm).as_deref(), Some("Arm implementer 0x41 part 0xd0c"));
        assert_eq!(extensions(arm), ["asimd", "asimddp"]);
        assert_eq!(cpu_model(""), None);
        assert!(extensions("").is_empty());
    }

    #[test]
    fn caches_of_data_are_kept() {
        assert_eq!(cache("1", "Data", "48K"), Some(Cache { level: 1, size_kib: 48 }));
        assert_eq!(cache("3", "Unified", "260M"), Some(Cache { level: 3, size_kib: 260 * 1024 }));
        assert_eq!(cache("1", "Instruction", "32K"), None);
        assert_eq!(cache("1", "Data", "large"), None);
        assert_eq!(Cache { level: 2, size_kib: 2048 }.to_string(), "L2 2048 KiB");
    }

    #[test]
    fn load_of_linux_and_macos() {
        assert_eq!(load_average("0.10 0.20 1.30 1/234 567"), Some([0.1, 0.2, 1.3]));
        assert_eq!(load_average("{ 0.10 0.20 1.30 }"), Some([0.1, 0.2, 1.3]));
        assert_eq!(load_average("0.10"), None);
    }

    #[test]
    fn os_release_is_unquoted() {
        assert_eq!(pretty_name("ID=x\nPRETTY_NAME=\"X OS 12\"\n").as_deref(), Some("X OS 12"));
        assert_eq!(pretty_name("ID=x\n"), None);
    }
}
