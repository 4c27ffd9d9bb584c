//! `rivalry fields`: the receptive fields of a run, or of any `weights.npy`.

use std::path::Path;

use anyhow::Context;
use rivalry_core::Layer;
use rivalry_data::{Shape, npy};
use rivalry_nets::State;

use crate::cli::{Common, FieldsArgs};
use crate::config::Config;
use crate::error::failure;
use crate::files;
use crate::output;
use crate::run::finish::draw_fields;
use crate::run::tensors::{first_layer, read_trained};
use crate::run::{CONFIG, TENSORS, WEIGHTS};

/// Runs the command.
pub(crate) fn run(args: &FieldsArgs, common: &Common) -> anyhow::Result<()> {
    let (layer, shape) = layer(&args.run)?;
    let (png, shown) = draw_fields(&layer, shape, norm(&args.run)?)?;
    files::write(&args.out, &png)?;
    output::note(common, &format!("{shown} of {} units: {}", layer.hidden(), args.out.display()));
    Ok(())
}

/// The layer and the shape of its images, which weights of another program do not say.
fn layer(run: &Path) -> anyhow::Result<(Layer, Shape)> {
    let path = run.join(TENSORS);
    let (layer, shape) = if path.is_file() {
        let place = || format!("cannot use {}", path.display());
        let (tensors, shape) = read_trained(&std::fs::read(&path).with_context(place)?).with_context(place)?;
        let layer = first_layer(&State { tensors, ..State::default() }).with_context(place)?;
        let none =
            || failure(format!("{} has no hidden layer", run.display()), "only hidden units have receptive fields");
        (layer.ok_or_else(none)?, shape)
    } else {
        (of_npy(&run.join(WEIGHTS))?, None)
    };
    let shape = shape.unwrap_or(Shape::grey(1, layer.inputs()));
    Ok((layer, shape))
}

fn of_npy(path: &Path) -> anyhow::Result<Layer> {
    let place = path.display();
    let bytes = std::fs::read(path).map_err(|error| {
        failure(format!("cannot read {place}: {error}"), "RUN_DIR is what `rivalry train … --out RUN_DIR` wrote")
    })?;
    let array = npy::parse(&bytes).map_err(|error| error.in_file(path))?;
    let &[hidden, inputs] = array.shape() else {
        let message = format!("{place} has the shape {:?}, not [hidden, inputs]", array.shape());
        return Err(failure(message, "one row of weights for each hidden unit"));
    };
    let values = array.to_f32().map_err(|error| error.in_file(path))?;
    Layer::from_rows(hidden, inputs, &values).with_context(|| format!("cannot use {place}"))
}

/// The exponent of the p-sphere that the units converge to, where the run has one.
fn norm(run: &Path) -> anyhow::Result<Option<f64>> {
    let path = run.join(CONFIG);
    if !path.is_file() {
        return Ok(None);
    }
    let config = Config::resolve(&path.to_string_lossy(), &[], None)?;
    Ok(config.method.has_sphere().then_some(config.p))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Unit 0 far off the sphere, unit 1 on it for p = 2.
    const ROWS: [f32; 8] = [5.0, 5.0, 5.0, 5.0, 0.5, 0.5, -0.5, 0.5];

    fn folder(config: Option<&str>, weights: &[u8]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(WEIGHTS), weights).unwrap();
        if let Some(config) = config {
            std::fs::write(folder.path().join(CONFIG), config).unwrap();
        }
        folder
    }

    fn shown(folder: &tempfile::TempDir) -> anyhow::Result<usize> {
        let (layer, shape) = layer(folder.path())?;
        let (png, shown) = draw_fields(&layer, shape, norm(folder.path())?)?;
        assert!(png.starts_with(b"\x89PNG"));
        Ok(shown)
    }

    #[test]
    fn units_on_the_sphere_are_drawn_where_the_method_has_one() {
        let rows = npy::write_f32(&[2, 4], &ROWS);
        assert_eq!(shown(&folder(Some("dataset = 'mnist'\np = 2\n"), &rows)).unwrap(), 1);
        // Units that backpropagation trains converge to no sphere, whatever the settings say.
        assert_eq!(shown(&folder(Some("dataset = 'mnist'\nmethod = 'end-to-end'\n"), &rows)).unwrap(), 2);
        assert_eq!(shown(&folder(None, &rows)).unwrap(), 2);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let rows = npy::write_f32(&[2, 4], &ROWS);
        for (config, weights, expected) in [
            (None, &npy::write_f32(&[8], &ROWS)[..], "has the shape [8], not [hidden, inputs]"),
            (None, b"not numpy", "weights.npy"),
            (None, &rows[..rows.len() - 1], "weights.npy"),
            (None, &npy::write_f32(&[1, 2], &[f32::NAN, 0.0]), "weights.npy"),
            (Some("p ="), &rows, "config.toml"),
            (Some("k = 2"), &rows, "names no data set"),
        ] {
            let error = format!("{:#}", shown(&folder(config, weights)).unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
        let error = shown(&tempfile::tempdir().unwrap()).unwrap_err().to_string();
        assert!(error.contains("weights.npy: "), "{error}");
    }
}
