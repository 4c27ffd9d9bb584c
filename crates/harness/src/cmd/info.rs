//! `rivalry info`: the machine and the build, as they stand beside every result, and the measured peak.

use rivalry_core::Kernels;

use crate::bench::limits;
use crate::cli::{Common, InfoArgs};
use crate::compute::Compute;
use crate::env::Environment;
use crate::output;

/// Runs the command.
pub(crate) fn run(_args: &InfoArgs, common: &Common) -> anyhow::Result<()> {
    let Compute { core, .. } = Compute::new(common)?;
    let environment = Environment::collect(core.kernels().name(), core.threads());
    let supported: Vec<&str> = Kernels::all().iter().map(|kernels| kernels.name()).collect();
    let peak_gflops = limits::peak_gflops(&core);
    output::result(&match common.json {
        true => json(&environment, &supported, peak_gflops)?,
        false => text(&environment, &supported, peak_gflops),
    })
}

fn text(environment: &Environment, supported: &[&str], peak_gflops: f64) -> String {
    let supported = supported.join(" ");
    let peak = format!("{peak_gflops:.1} GFLOP/s (f32, {}, all threads)", environment.isa);
    format!("{}{:<12}{supported}\n{:<12}{peak}\n", environment.to_text(), "supported", "peak")
}

fn json(environment: &Environment, supported: &[&str], peak_gflops: f64) -> anyhow::Result<String> {
    let mut value = serde_json::to_value(environment)?;
    value["isa_supported"] = supported.into();
    value["peak_gflops"] = ((peak_gflops * 10.0).round() / 10.0).into();
    Ok(serde_json::to_string_pretty(&value)? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_json_name_what_is_supported_what_is_used_and_the_peak() {
        let environment = Environment::collect("avx2", 2);
        let text = text(&environment, &["avx2", "portable"], 123.456);
        for line in ["isa         avx2\n", "supported   avx2 portable\n", "peak        123.5 GFLOP/s (f32, avx2, all"] {
            assert!(text.contains(line), "no {line:?} in\n{text}");
        }
        let json = json(&environment, &["avx2", "portable"], 123.456).unwrap();
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&value["peak_gflops"], &value["threads"]), (&123.5.into(), &2.into()));
        assert_eq!(value["isa_supported"], serde_json::json!(["avx2", "portable"]));
        assert!(value["machine"]["cpu"].is_string());
    }
}
