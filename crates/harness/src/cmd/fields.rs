//! `rivalry fields`: the receptive fields of a run, drawn from its `weights.npy`.

use std::path::Path;

use anyhow::Context;
use rivalry_core::Layer;
use rivalry_data::npy;

use crate::cli::{Common, FieldsArgs};
use crate::failure::failure;
use crate::output;
use crate::plot::fields::{DEFAULT_UNITS, Tile, receptive_fields, shown};
use crate::run::files;

const WEIGHTS: &str = "weights.npy";
const CONFIG: &str = "config.toml";

/// Runs the command.
pub(crate) fn run(args: &FieldsArgs, common: &Common) -> anyhow::Result<()> {
    let picture = draw(&args.run)?;
    files::write(&args.out, &picture.png)?;
    output::note(common, &format!("{} of {} units: {}", picture.shown, picture.hidden, args.out.display()));
    Ok(())
}

struct Picture {
    png: Vec<u8>,
    shown: usize,
    hidden: usize,
}

fn draw(run: &Path) -> anyhow::Result<Picture> {
    let layer = weights(&run.join(WEIGHTS))?;
    let on_sphere = match norm(&run.join(CONFIG))? {
        Some(p) => layer.converged(p),
        None => Vec::new(),
    };
    let units = shown(&on_sphere, layer.hidden(), DEFAULT_UNITS);
    let png = receptive_fields(&layer.to_rows(), layer.inputs(), Tile::guess(layer.inputs()), &units)?;
    Ok(Picture { png, shown: units.len(), hidden: layer.hidden() })
}

fn weights(path: &Path) -> anyhow::Result<Layer> {
    let bytes = std::fs::read(path).map_err(|error| {
        let message = format!("weights, {}, expected a file, found: {error}", path.display());
        failure(message, "RUN_DIR is what `rivalry train … --out RUN_DIR` wrote")
    })?;
    let array = npy::parse(&bytes).map_err(|error| error.in_file(path))?;
    let &[hidden, inputs] = array.shape() else {
        let message =
            format!("weights, {}, expected shape [hidden, inputs], found {:?}", path.display(), array.shape());
        return Err(failure(message, "one row of weights for each hidden unit"));
    };
    let values = array.to_f32().map_err(|error| error.in_file(path))?;
    Layer::from_rows(hidden, inputs, &values).with_context(|| format!("weights, {}", path.display()))
}

/// The Lebesgue norm of the run, `None` where the folder has no configuration (weights of another program).
fn norm(path: &Path) -> anyhow::Result<Option<f64>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("configuration, {}", path.display())),
    };
    let table: toml::Table = toml::from_str(&text).with_context(|| format!("configuration, {}", path.display()))?;
    let p = table.get("p").and_then(|p| p.as_float().or_else(|| p.as_integer().map(|p| p as f64)));
    p.map(Some).ok_or_else(|| {
        let message = format!("configuration, {}, expected a number p, found none", path.display());
        failure(message, "without config.toml the first units are drawn, whether they converged or not")
    })
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

    fn refusal(folder: &tempfile::TempDir) -> String {
        format!("{:#}", draw(folder.path()).err().expect("is refused"))
    }

    #[test]
    fn units_on_the_sphere_are_drawn_where_the_norm_is_known() {
        let rows = npy::write_f32(&[2, 4], &ROWS);
        let picture = draw(folder(Some("p = 2.0\n"), &rows).path()).unwrap();
        assert_eq!((picture.shown, picture.hidden), (1, 2));
        assert!(picture.png.starts_with(b"\x89PNG"));
        let picture = draw(folder(None, &rows).path()).unwrap();
        assert_eq!(picture.shown, 2);
    }

    #[test]
    fn whole_numbers_are_norms_too() {
        assert_eq!(norm(&folder(Some("p = 3\n"), b"").path().join(CONFIG)).unwrap(), Some(3.0));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let rows = npy::write_f32(&[2, 4], &ROWS);
        assert!(refusal(&tempfile::tempdir().unwrap()).contains("weights.npy, expected a file"));
        assert!(
            refusal(&folder(None, &npy::write_f32(&[8], &ROWS))).contains("expected shape [hidden, inputs], found [8]")
        );
        assert!(refusal(&folder(None, b"not numpy")).contains("weights.npy"));
        assert!(refusal(&folder(None, &rows[..rows.len() - 1])).contains("weights.npy"));
        assert!(refusal(&folder(None, &npy::write_f32(&[1, 2], &[f32::NAN, 0.0]))).contains("weights.npy"));
        assert!(refusal(&folder(Some("p ="), &rows)).contains("config.toml"));
        assert!(refusal(&folder(Some("k = 2"), &rows)).contains("expected a number p"));
    }
}
