//! A user's own data: a directory with the four names of MNIST, as IDX or npy files.
//!
//! There is no catalog to hold such files against, so everything is taken from the files themselves and checked
//! between them: as many labels as images, the same shape and type in training and test, finite numbers, labels from
//! 0 to 255.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;

use crate::dataset::{Content, Dataset, Shape, Source, Split, Storage, Values, sha256};
use crate::error::{Error, Fault, Result, dimensions};
use crate::locate::is_there;
use crate::map::Map;
use crate::npy::Dtype;
use crate::open::check_shapes;
use crate::{idx, npy};

/// Deflate cannot make more than this of one byte; a header that asks for more lies.
const LARGEST_RATIO: usize = 1032;

/// Most classes: a label is one byte.
const MOST_CLASSES: usize = 256;

/// Opens a user's own data.
///
/// Each of the four files is looked for under these names, and the first that is there is used, shown for the
/// training images: `train-images-idx3-ubyte`, `train-images-idx3-ubyte.gz`, `train-images-idx3-ubyte.npy`,
/// `train-images.npy`. The others are `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
/// `t10k-labels-idx1-ubyte`.
///
/// Images are u8 or f32, `[samples, inputs]` or `[samples, height, width]`; labels are u8, i32 or i64, `[samples]`. The
/// number of classes is the largest label and one, at least 2.
///
/// # Errors
/// [`Error::Incomplete`] where a file is missing, [`Error::Malformed`] where one is not what it should be,
/// [`Error::Mismatch`] where they do not fit together, [`Error::Archive`] for a bad `.gz`, [`Error::Io`].
///
/// # Allocates
/// The labels, f32 images, and what is packed in `.gz`; other images stay in a memory map.
///
/// # Example
/// ```
/// use rivalry_data::npy;
/// let directory = tempfile::tempdir()?;
/// for split in ["train", "t10k"] {
///     let images = npy::write_f32(&[2, 3], &[0.0, 0.5, 1.0, 1.0, 0.5, 0.0]);
///     std::fs::write(directory.path().join(format!("{split}-images.npy")), images)?;
///     std::fs::write(directory.path().join(format!("{split}-labels.npy")), npy::write_u8(&[2], &[0, 1]))?;
/// }
/// let data = rivalry_data::open_directory(directory.path())?;
/// assert_eq!((data.train.samples(), data.train.inputs(), data.classes), (2, 3, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn open_directory(dir: &Path) -> Result<Dataset> {
    let files = find(dir)?;
    let (train_images, shape) = images(&files[0])?;
    let train_labels = labels(&files[1])?;
    let (test_images, test_shape) = images(&files[2])?;
    let test_labels = labels(&files[3])?;
    check_shapes(shape, test_shape, dir)?;
    let inputs = shape.inputs();
    let classes = train_labels.iter().chain(&test_labels).max().map_or(0, |&label| usize::from(label) + 1).max(2);
    let source = |split| Source { split, directory: dir };
    let train = Split::new(train_images, inputs, train_labels, source("training labels"))?;
    let test = Split::new(test_images, inputs, test_labels, source("test labels"))?;
    let text = |split: &Split| match split.values() {
        Values::U8(_) => "images of bytes",
        Values::F32(_) => "images of f32",
    };
    if text(&train) != text(&test) {
        let (expected, found) = (text(&train).into(), text(&test).into());
        return Err(Error::Mismatch { what: "test images", directory: dir.to_path_buf(), expected, found });
    }
    let sha256 = sha256(&train, &test);
    Ok(Dataset { name: dir.display().to_string(), train, test, classes, shape, sha256 })
}

/// The four files, each under the first of its names that is there.
fn find(dir: &Path) -> Result<Vec<PathBuf>> {
    if let Err(source) = std::fs::read_dir(dir) {
        return Err(Error::io("open directory", dir, source));
    }
    let (mut files, mut missing) = (Vec::new(), Vec::new());
    for (short, long) in [
        ("train-images", "train-images-idx3-ubyte"),
        ("train-labels", "train-labels-idx1-ubyte"),
        ("t10k-images", "t10k-images-idx3-ubyte"),
        ("t10k-labels", "t10k-labels-idx1-ubyte"),
    ] {
        let names = [long.to_string(), format!("{long}.gz"), format!("{long}.npy"), format!("{short}.npy")];
        match names.iter().map(|name| dir.join(name)).find(|path| is_there(path)) {
            Some(path) => files.push(path),
            None => missing.push(format!("{long}[.gz|.npy] or {short}.npy")),
        }
    }
    if missing.is_empty() {
        return Ok(files);
    }
    Err(Error::Incomplete { name: "data".into(), directory: dir.to_path_buf(), missing })
}

fn images(path: &Path) -> Result<(Storage, Shape)> {
    let content = read(path)?;
    if path.extension().is_some_and(|extension| extension == "npy") {
        return npy_images(&content).map_err(|error| error.in_file(path));
    }
    let images = idx::images(content.bytes()).map_err(|error| error.in_file(path))?;
    let shape = Shape { height: images.height, width: images.width, channels: 1 };
    Ok((content.end(images.pixels.len()), shape))
}

fn npy_images(content: &Content) -> Result<(Storage, Shape)> {
    let fail = |fault| Error::malformed("npy images", fault);
    let array = npy::parse(content.bytes())?;
    let shape = match *array.shape() {
        [_, width] => Shape { height: 1, width, channels: 1 },
        [_, height, width] => Shape { height, width, channels: 1 },
        _ => {
            let found = dimensions(array.shape());
            return Err(fail(Fault::Shape { expected: "samples × inputs or samples × height × width", found }));
        }
    };
    if array.is_empty() {
        return Err(fail(Fault::Empty { dimensions: dimensions(array.shape()) }));
    }
    match array.dtype() {
        Dtype::U8 => Ok((content.end(array.len()), shape)),
        Dtype::F32 => {
            let values = array.to_f32()?;
            if let Some(index) = values.iter().position(|value| !value.is_finite()) {
                let (value, sample) = (values[index].to_string(), index / shape.inputs());
                return Err(fail(Fault::NotFinite { value, sample }));
            }
            Ok((Storage::F32(values.into()), shape))
        }
        other => Err(fail(Fault::Dtype { expected: "|u1 or <f4", found: other.to_string() })),
    }
}

fn labels(path: &Path) -> Result<Vec<u8>> {
    let content = read(path)?;
    if path.extension().is_some_and(|extension| extension == "npy") {
        return npy_labels(content.bytes()).map_err(|error| error.in_file(path));
    }
    idx::labels(content.bytes()).map(<[u8]>::to_vec).map_err(|error| error.in_file(path))
}

fn npy_labels(bytes: &[u8]) -> Result<Vec<u8>> {
    let fail = |fault| Error::malformed("npy labels", fault);
    let array = npy::parse(bytes)?;
    if array.shape().len() != 1 {
        return Err(fail(Fault::Shape { expected: "samples", found: dimensions(array.shape()) }));
    }
    if array.is_empty() {
        return Err(fail(Fault::Empty { dimensions: dimensions(array.shape()) }));
    }
    let to_byte = |(sample, label): (usize, i64)| {
        u8::try_from(label).map_err(|_| fail(Fault::Label { classes: MOST_CLASSES, label, sample }))
    };
    array.to_i64()?.into_iter().enumerate().map(to_byte).collect()
}

/// The content of a file, unpacked into memory where its name ends in `.gz`.
fn read(path: &Path) -> Result<Content> {
    if path.extension().is_none_or(|extension| extension != "gz") {
        return Content::map(path);
    }
    let packed = Map::open(path)?;
    let fail = |expected: String, found: String| Error::Archive { path: path.to_path_buf(), expected, found };
    let damaged = |error: std::io::Error| match error.kind() {
        ErrorKind::UnexpectedEof => fail("gzip data".into(), "an early end".into()),
        _ => fail("gzip data".into(), format!("damaged: {error}")),
    };
    // The header says how long the file must be; nothing is unpacked beyond it, and nothing at all where it lies.
    let mut stream = MultiGzDecoder::new(&packed[..]);
    let mut bytes = Vec::new();
    stream.by_ref().take(16).read_to_end(&mut bytes).map_err(damaged)?;
    let Some(length) = idx::whole_length(&bytes) else {
        // No such header: let the parser say what is wrong with it.
        return Ok(Content::Bytes { bytes: Arc::new(bytes), path: path.to_path_buf() });
    };
    if length > packed.len().saturating_mul(LARGEST_RATIO) {
        return Err(fail(format!("content of {length} bytes"), format!("only {} bytes, packed", packed.len())));
    }
    let rest = length.saturating_sub(bytes.len()) as u64;
    // One byte more: it shows content that is too long, and the end of the stream, where its checksum is compared.
    stream.take(rest + 1).read_to_end(&mut bytes).map_err(damaged)?;
    Ok(Content::Bytes { bytes: Arc::new(bytes), path: path.to_path_buf() })
}
