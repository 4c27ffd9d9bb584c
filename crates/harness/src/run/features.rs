//! Features in a file of the run folder, for data sets whose features take more memory than there is.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use rivalry_core::{Inputs, Matrix};
use rivalry_data::map::Map;

/// Samples that are in memory at once.
const BLOCK: usize = 1000;

/// The features of some samples, f32 in the byte order of the machine, row after row; read through a map. The file is
/// scratch: it is deleted with this value.
#[derive(Debug)]
pub(super) struct FeatureFile {
    path: PathBuf,
    map: Map,
    width: usize,
}

impl FeatureFile {
    /// Computes the features of all samples, a thousand at a time, into a new file.
    pub(super) fn create(
        path: &Path,
        samples: &Inputs<'_>,
        features: impl Fn(&Inputs<'_>) -> rivalry_nets::Result<Matrix>,
    ) -> anyhow::Result<Self> {
        let blocks = (0..samples.samples()).step_by(BLOCK);
        Self::write(
            path,
            blocks.map(|first| Ok(features(&samples.range(first..samples.samples().min(first + BLOCK)))?)),
        )
    }

    /// The same file after a change of every row, a thousand at a time.
    pub(super) fn changed(self, change: impl Fn(&mut Matrix) -> rivalry_nets::Result<()>) -> anyhow::Result<Self> {
        let blocks = self.values().chunks(BLOCK * self.width).map(|values| {
            let mut block = Matrix::zeros(values.len() / self.width, self.width);
            block.rows_mut().zip(values.chunks_exact(self.width)).for_each(|(row, values)| row.copy_from_slice(values));
            change(&mut block)?;
            Ok(block)
        });
        let changed = self.path.with_extension("changed");
        Self::write(&changed, blocks)
    }

    fn write(path: &Path, blocks: impl Iterator<Item = anyhow::Result<Matrix>>) -> anyhow::Result<Self> {
        let context = || format!("cannot write features to {}", path.display());
        let mut file = BufWriter::new(File::create(path).with_context(context)?);
        let mut width = 1;
        for block in blocks {
            let block = block?;
            width = block.columns();
            for row in 0..block.rows() {
                file.write_all(bytemuck::cast_slice(block.row(row))).with_context(context)?;
            }
        }
        file.flush().with_context(context)?;
        Ok(Self { path: path.to_owned(), map: Map::open(path)?, width })
    }

    fn values(&self) -> &[f32] {
        bytemuck::cast_slice(&self.map)
    }

    /// As learners and classifiers take them.
    pub(super) fn view(&self) -> rivalry_core::Result<Inputs<'_>> {
        Inputs::f32(self.values(), self.width)
    }
}

impl Drop for FeatureFile {
    fn drop(&mut self) {
        // What cannot be deleted stays behind; the result does not depend on it.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_what_memory_would_and_is_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let pixels: Vec<u8> = (0..2500 * 3).map(|i| (i * 7 % 256) as u8).collect();
        let samples = Inputs::u8(&pixels, 3).unwrap();
        let features = |samples: &Inputs<'_>| {
            let mut out = Matrix::zeros(samples.samples(), 5);
            for row in 0..samples.samples() {
                let rivalry_core::Elements::U8(pixels) = samples.elements() else { panic!("bytes") };
                (0..5).for_each(|i| out.row_mut(row)[i] = f32::from(pixels[3 * row + i % 3]) + i as f32);
            }
            Ok(out)
        };
        let file = FeatureFile::create(&folder.path().join("features"), &samples, features).unwrap();
        let mut expected = features(&samples).unwrap();
        assert_eq!(file.values(), expected.to_rows());
        let double = |block: &mut Matrix| {
            block.rows_mut().for_each(|row| row.iter_mut().for_each(|x| *x *= 2.0));
            Ok(())
        };
        let file = file.changed(double).unwrap();
        double(&mut expected).unwrap();
        assert_eq!((file.values(), file.view().unwrap().samples()), (&expected.to_rows()[..], 2500));
        drop(file);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
