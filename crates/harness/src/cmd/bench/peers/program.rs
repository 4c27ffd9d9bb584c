//! The programs that are compared with, and one turn of such a program.
//!
//! A program reads `weights.npy`, `inputs.npy` and `rates.npy` from a folder, computes some minibatches as warm-up, times
//! some more, writes its result as `.npy` and prints one line of JSON; `scripts/peers/handover.py` says it in full.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rivalry_data::npy;
use serde::Deserialize;

use crate::bench::Handover;
use crate::bench::definition::{Case, Kind};
use crate::cli::PeersArgs;
use crate::failure::failure;
use crate::run::files;

/// A program and what it is asked to do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer {
    /// The column `peer`.
    pub(super) name: &'static str,
    /// On what it is measured.
    pub(super) kind: Kind,
    program: Program,
    variant: &'static str,
}

#[derive(Debug, Clone, Copy)]
enum Program {
    Python(&'static str),
    Products,
}

const NUMPY: Program = Program::Python("numpy_peer.py");
const TORCH: Program = Program::Python("torch_peer.py");

/// All of them, in the order of their turns.
pub(super) const PEERS: [Peer; 8] = [
    Peer { name: "numpy float64", kind: Kind::Epoch, program: NUMPY, variant: "float64" },
    Peer { name: "numpy float32", kind: Kind::Epoch, program: NUMPY, variant: "float32" },
    Peer { name: "torch argsort", kind: Kind::Epoch, program: TORCH, variant: "argsort" },
    Peer { name: "torch topk", kind: Kind::Epoch, program: TORCH, variant: "topk" },
    Peer { name: "numpy float32", kind: Kind::Score, program: NUMPY, variant: "float32" },
    Peer { name: "torch", kind: Kind::Score, program: TORCH, variant: "product" },
    Peer { name: "matrixmultiply", kind: Kind::Score, program: Program::Products, variant: "matrixmultiply" },
    Peer { name: "gemm", kind: Kind::Score, program: Program::Products, variant: "gemm" },
];

/// What a turn of a program gave.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    /// What it says of itself.
    pub(super) version: String,
    /// One time for each timed minibatch.
    pub(super) samples_ns: Vec<u64>,
    /// Weights, or scores by example.
    pub(super) result: Vec<f32>,
}

/// The line of JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    version: String,
    samples_ns: Vec<u64>,
}

/// Writes what programs read.
pub(super) fn write(handover: &Handover, case: &Case, folder: &Path) -> anyhow::Result<()> {
    let shape = |width: Option<usize>, length: usize| [length / width.unwrap_or(1).max(1), width.unwrap_or(1)];
    let inputs = case.definition.inputs;
    let weights = npy::write_f32(&shape(inputs, handover.weights.len()), &handover.weights);
    files::write(&folder.join("weights.npy"), &weights)?;
    let examples = npy::write_u8(&shape(inputs, handover.inputs.len()), &handover.inputs);
    files::write(&folder.join("inputs.npy"), &examples)?;
    files::write(&folder.join("rates.npy"), &npy::write_f32(&[handover.rates.len()], &handover.rates))
}

impl Peer {
    /// One turn in a folder that [`write`] filled.
    ///
    /// # Errors
    /// The program is not installed, fails, or answers something else than was asked.
    pub(super) fn turn(&self, case: &Case, folder: &Path, args: &PeersArgs) -> anyhow::Result<Answer> {
        let (mut command, program) = self.command(args)?;
        let out = folder.join("result.npy");
        let _ = std::fs::remove_file(&out);
        let (definition, number) = (&case.definition, |value: Option<f64>| value.unwrap_or(0.0).to_string());
        let kind = if self.kind == Kind::Epoch { "epoch" } else { "score" };
        let arguments = [
            ("--kind", kind.to_owned()),
            ("--variant", self.variant.to_owned()),
            ("--batch", definition.batch.unwrap_or(0).to_string()),
            ("--p", number(definition.p)),
            ("--k", definition.k.unwrap_or(0).to_string()),
            ("--delta", number(definition.delta)),
            ("--warmup", definition.check.to_string()),
            ("--minibatches", definition.minibatches.to_string()),
            ("--threads", case.threads.to_string()),
        ];
        command.arg("--dir").arg(folder).arg("--out").arg(&out);
        command.args(arguments.iter().flat_map(|(name, value)| [*name, value.as_str()]));
        for variable in ["MATMUL_NUM_THREADS", "RAYON_NUM_THREADS"] {
            command.env(variable, case.threads.to_string());
        }
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        let refuse = |found: String| {
            failure(format!("failed: expected an answer of {}, found {found}", program.display()), INSTALL)
        };
        let output = command.stdin(Stdio::null()).output().map_err(|error| refuse(error.to_string()))?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            return Err(refuse(stderr.trim().lines().last().unwrap_or("a failure without a word").to_owned()));
        }
        let stdout = String::from_utf8_lossy(&output.stdout);
        let line: Line =
            serde_json::from_str(stdout.trim()).map_err(|error| refuse(format!("{stdout:?} ({error})")))?;
        if line.samples_ns.len() != definition.minibatches {
            return Err(refuse(format!(
                "{} samples for {} minibatches",
                line.samples_ns.len(),
                definition.minibatches
            )));
        }
        let bytes = std::fs::read(&out).map_err(|error| refuse(format!("no result: {error}")))?;
        let result = npy::parse(&bytes).and_then(|array| array.to_f32()).map_err(|error| error.in_file(&out))?;
        Ok(Answer { version: line.version, samples_ns: line.samples_ns, result })
    }

    /// How the program is started, and its file.
    fn command(&self, args: &PeersArgs) -> anyhow::Result<(Command, PathBuf)> {
        let there = |path: &Path| match path.exists() {
            true => Ok(path.to_owned()),
            false => Err(failure(format!("not installed: expected {}, found none", path.display()), INSTALL)),
        };
        match self.program {
            Program::Python(script) => {
                // Looked up by the system where it is a bare name, such as python3.
                if args.python.components().count() > 1 {
                    there(&args.python)?;
                }
                let script = there(&args.scripts.join(script))?;
                let mut command = Command::new(&args.python);
                command.arg(&script);
                Ok((command, script))
            }
            Program::Products => {
                let program = there(&args.products)?;
                Ok((Command::new(&program), program))
            }
        }
    }
}

/// What helps when a program is not there.
pub(super) const INSTALL: &str =
    "run from the root of the repository; scripts/peers/install.sh installs every program that is compared with";
