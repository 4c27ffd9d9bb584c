//! `rivalry features` and `rivalry predict`: a trained run on new samples, npy in and npy out.

use std::path::Path;

use rivalry_data::npy;

use crate::cli::{Application, Common, FeaturesArgs, PredictArgs};
use crate::compute::Compute;
use crate::dataset::Examples;
use crate::error::failure;
use crate::files;
use crate::network::{Network, read_samples};
use crate::output;

/// Runs `rivalry features`.
pub(crate) fn features(args: &FeaturesArgs, common: &Common) -> anyhow::Result<()> {
    check_free(&args.out, &args.application)?;
    let network = Network::open(&args.application.run)?;
    let data = read_samples(&args.application.inputs)?;
    let features = network.features(&Compute::new(common)?.core, &Examples::all(&data.train))?;
    let shape = [features.rows(), features.columns()];
    files::write(&args.out, &npy::write_f32(&shape, &features.to_rows()))?;
    output::note(common, &format!("{} features of {} samples: {}", shape[1], shape[0], args.out.display()));
    Ok(())
}

/// Runs `rivalry predict`.
pub(crate) fn predict(args: &PredictArgs, common: &Common) -> anyhow::Result<()> {
    for out in [Some(&args.out), args.scores.as_ref()].into_iter().flatten() {
        check_free(out, &args.application)?;
    }
    let network = Network::open(&args.application.run)?;
    let data = read_samples(&args.application.inputs)?;
    let (classes, scores) = network.predict(&Compute::new(common)?.core, &Examples::all(&data.train))?;
    files::write(&args.out, &npy::write_u8(&[classes.len()], &classes))?;
    if let Some(path) = &args.scores {
        files::write(path, &npy::write_f32(&[scores.rows(), scores.columns()], &scores.to_rows()))?;
    }
    output::note(common, &format!("classes of {} samples: {}", classes.len(), args.out.display()));
    Ok(())
}

/// Refuses a file that exists, and a place that is not writable, before anything is computed.
fn check_free(out: &Path, application: &Application) -> anyhow::Result<()> {
    if out.exists() && !application.force {
        return Err(failure(format!("{} already exists", out.display()), "pass --force to overwrite it"));
    }
    files::check_writable(out)
}
