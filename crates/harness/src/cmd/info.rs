//! `rivalry info`: the machine and the build, as they stand beside every result, and the measured peak.

use rivalry_core::Kernels;
use serde_json::json;

use crate::bench::limits;
use crate::cli::{Common, InfoArgs};
use crate::compute::Compute;
use crate::env::Environment;
use crate::output;

/// Runs the command.
pub(crate) fn run(_args: &InfoArgs, common: &Common) -> anyhow::Result<()> {
    let Compute { core, .. } = Compute::new(common)?;
    let report = Report {
        environment: Environment::collect(core.kernels().name(), core.threads()),
        supported: Kernels::all().iter().map(|kernels| kernels.name()).collect(),
        peak_gflops: limits::peak_gflops(&core),
    };
    output::result(&if common.json { report.to_json()? } else { report.to_text() })
}

struct Report {
    environment: Environment,
    supported: Vec<&'static str>,
    peak_gflops: f64,
}

impl Report {
    fn to_text(&self) -> String {
        let supported = self.supported.join(" ");
        let peak = format!("{:.1} GFLOP/s (f32, {}, all threads)", self.peak_gflops, self.environment.isa);
        format!("{}{:<12}{supported}\n{:<12}{peak}\n", self.environment.to_text(), "supported", "peak")
    }

    fn to_json(&self) -> anyhow::Result<String> {
        let mut value = serde_json::to_value(&self.environment)?;
        value["isa_supported"] = json!(self.supported);
        value["peak_gflops"] = json!((self.peak_gflops * 10.0).round() / 10.0);
        Ok(serde_json::to_string_pretty(&value)? + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            environment: Environment::collect("avx2", 2),
            supported: vec!["avx2", "portable"],
            peak_gflops: 123.456,
        }
    }

    #[test]
    fn text_names_what_is_supported_and_what_is_used() {
        let text = report().to_text();
        for line in ["isa         avx2\n", "supported   avx2 portable\n", "peak        123.5 GFLOP/s (f32, avx2, all"] {
            assert!(text.contains(line), "no {line:?} in\n{text}");
        }
    }

    #[test]
    fn json_holds_the_peak_as_a_number() {
        let value: serde_json::Value = serde_json::from_str(&report().to_json().unwrap()).unwrap();
        assert_eq!(value["peak_gflops"], 123.5);
        assert_eq!(value["isa_supported"], json!(["avx2", "portable"]));
        assert_eq!(value["threads"], 2);
        assert!(value["machine"]["cpu"].is_string());
    }
}
