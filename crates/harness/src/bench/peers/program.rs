//! The programs that we compare with, and one run of such a program.
//!
//! A program reads its initial weights and the samples from a folder, computes some minibatches as warm-up, times some
//! more, writes its result as `.npy` and prints one line of JSON; `scripts/peers/handover.py` says it in full.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rivalry_data::npy;
use serde::Deserialize;
use serde_json::Value;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

use crate::bench::definition::{Case, Epoch, Work};
use crate::cli::PeersArgs;
use crate::error::failure;

/// A program and what it does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer {
    /// The column `peer`.
    pub(super) name: &'static str,
    kind: &'static str,
    program: Program,
    variant: &'static str,
}

#[derive(Debug, Clone, Copy)]
enum Program {
    Python(&'static str),
    /// `torch_learners.py` on as many threads as ours, or on so many. Small minibatches are many calls with little work
    /// each, for which workers that sleep are slow to wake, and a single thread can be the fastest.
    Learners(Option<usize>),
    Products,
}

const NUMPY: Program = Program::Python("numpy_peer.py");
const TORCH: Program = Program::Python("torch_peer.py");

/// All of them, in the order in which they run.
pub(super) const PEERS: [Peer; 10] = [
    Peer { name: "numpy float64", kind: "epoch", program: NUMPY, variant: "float64" },
    Peer { name: "numpy float32", kind: "epoch", program: NUMPY, variant: "float32" },
    Peer { name: "torch argsort", kind: "epoch", program: TORCH, variant: "argsort" },
    Peer { name: "torch topk", kind: "epoch", program: TORCH, variant: "topk" },
    Peer { name: "numpy float32", kind: "score", program: NUMPY, variant: "float32" },
    Peer { name: "torch", kind: "score", program: TORCH, variant: "product" },
    Peer { name: "matrixmultiply", kind: "score", program: Program::Products, variant: "matrixmultiply" },
    Peer { name: "gemm", kind: "score", program: Program::Products, variant: "gemm" },
    Peer { name: "torch", kind: "learner", program: Program::Learners(None), variant: "all threads" },
    Peer { name: "torch 1 thread", kind: "learner", program: Program::Learners(Some(1)), variant: "one thread" },
];

/// The threads of the libraries that peers use.
const THREADS: [&str; 5] =
    ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "MATMUL_NUM_THREADS", "RAYON_NUM_THREADS"];
/// Workers of OpenMP sleep when they have no work, instead of spinning; but for learners, whose calls are short.
const PASSIVE: [(&str, &str); 2] = [("OMP_WAIT_POLICY", "passive"), ("KMP_BLOCKTIME", "0")];
/// What to do when a program is missing.
pub(crate) const INSTALL: &str =
    "scripts/peers/install.sh installs every peer; run it, and this, from the root of the repository";
/// How often a program is asked whether it has ended.
const POLL: Duration = Duration::from_millis(5);

/// What one run of a program gave.
pub(super) struct Answer {
    /// What it says of itself.
    pub(super) version: String,
    /// One time for each timed minibatch.
    pub(super) samples_ns: Vec<u64>,
    /// Weights, or scores by sample.
    pub(super) result: Vec<f32>,
}

impl Peer {
    /// Whether the program can do it, and no other one does the same.
    pub(super) fn does(&self, case: &Case) -> bool {
        let kind = match case.definition.work {
            Work::Epoch(_) => "epoch",
            Work::Score(_) => "score",
            Work::Learner(_) | Work::Patches(_) => "learner",
            Work::Features(_) | Work::Readout(_) | Work::Bandwidth => return false,
        };
        let repeated = matches!(self.program, Program::Learners(Some(threads)) if threads == case.threads);
        self.kind == kind && !repeated
    }

    /// One run in a folder that `handover` filled, with its settings.
    pub(super) fn run(&self, case: &Case, folder: &Path, settings: &Value, args: &PeersArgs) -> anyhow::Result<Answer> {
        let (mut command, program) = self.command(args)?;
        let [out, stdout, stderr] = ["result.npy", "stdout", "stderr"].map(|name| folder.join(name));
        let _ = std::fs::remove_file(&out);
        let definition = &case.definition;
        let batch = definition.work.product().map_or(0, |product| product.batch);
        let (kind, own) = match &definition.work {
            Work::Epoch(Epoch { p, k, delta, .. }) => (self.kind, rule(*p, *k, *delta)),
            Work::Learner(learner) => (learner.method.name(), vec![("--settings", settings.to_string())]),
            Work::Patches(_) => ("patches", vec![("--settings", settings.to_string())]),
            _ => (self.kind, rule(0.0, 0, 0.0)),
        };
        let threads = if let Program::Learners(Some(threads)) = self.program { threads } else { case.threads };
        let arguments = [
            ("--kind", kind.to_owned()),
            ("--variant", self.variant.to_owned()),
            ("--batch", batch.to_string()),
            ("--warmup", definition.check.to_string()),
            ("--minibatches", definition.minibatches.to_string()),
            ("--threads", threads.to_string()),
        ];
        command.arg("--dir").arg(folder).arg("--out").arg(&out);
        command.args(arguments.iter().chain(&own).flat_map(|(name, value)| [*name, value.as_str()]));
        command.envs(THREADS.map(|name| (name, threads.to_string())));
        if !matches!(self.program, Program::Learners(_)) {
            command.envs(PASSIVE);
        }
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        let refuse = |what: String| failure(format!("failed: {} {what}", program.display()), INSTALL);

        // Files instead of pipes: a process that the program leaves behind would keep a pipe open.
        command.stdin(Stdio::null()).stdout(File::create(&stdout)?).stderr(File::create(&stderr)?);
        let child = command.spawn().map_err(|error| refuse(format!("cannot be started: {error}")))?;
        let limit = Duration::from_secs(args.limit.into());
        let Some(status) = wait(child, limit)? else {
            return Err(failure(
                format!("too slow: {} did not end within {} s and was killed", program.display(), args.limit),
                "--limit allows more time",
            ));
        };
        let text = |path: &Path| String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).trim().to_owned();
        if !status.success() {
            return Err(refuse(text(&stderr).lines().last().unwrap_or("ended with an error").to_owned()));
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Line {
            version: String,
            samples_ns: Vec<u64>,
        }
        let line = text(&stdout);
        let Line { version, samples_ns } =
            serde_json::from_str(&line).map_err(|error| refuse(format!("printed {line:?}: {error}")))?;
        if samples_ns.len() != definition.minibatches {
            return Err(refuse(format!("gave {} times for {} minibatches", samples_ns.len(), definition.minibatches)));
        }
        let bytes = std::fs::read(&out).map_err(|error| refuse(format!("wrote no result: {error}")))?;
        let result = npy::parse(&bytes).and_then(|array| array.to_f32()).map_err(|error| error.in_file(&out))?;
        Ok(Answer { version, samples_ns, result })
    }

    /// The command that starts the program, and its file.
    fn command(&self, args: &PeersArgs) -> anyhow::Result<(Command, PathBuf)> {
        let installed = |path: &Path| match path.exists() {
            true => Ok(path.to_owned()),
            false => Err(failure(format!("not installed: there is no {}", path.display()), INSTALL)),
        };
        let script = match self.program {
            Program::Python(script) => Some(script),
            Program::Learners(_) => Some("torch_learners.py"),
            Program::Products => None,
        };
        match script {
            Some(script) => {
                // The system looks up a bare name, such as python3.
                if args.python.components().count() > 1 {
                    installed(&args.python)?;
                }
                let script = installed(&args.scripts.join(script))?;
                let mut command = Command::new(&args.python);
                command.arg(&script);
                Ok((command, script))
            }
            None => {
                let program = installed(&args.products)?;
                Ok((Command::new(&program), program))
            }
        }
    }
}

/// The arguments that say the rule, or zeros for the products alone.
fn rule(p: f64, k: usize, delta: f64) -> Vec<(&'static str, String)> {
    vec![("--p", p.to_string()), ("--k", k.to_string()), ("--delta", delta.to_string())]
}

/// Waits for a program, at most for `limit`; then kills it with the processes that it started, and returns nothing.
fn wait(mut child: Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() >= limit {
            kill_descendants(child.id());
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(POLL);
    }
}

fn kill_descendants(parent: u32) {
    let Ok(mut system) = System::new() else { return };
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, ProcessRefreshKind::nothing());
    let mut parents = vec![Pid::from_u32(parent)];
    while let Some(parent) = parents.pop() {
        for (pid, _) in system.processes().iter().filter(|(_, process)| process.parent() == Some(parent)) {
            parents.push(*pid);
        }
        if let Some(process) = system.process(parent) {
            process.kill();
        }
    }
}
