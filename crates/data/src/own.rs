//! A user's own data: a directory of four files named as those of MNIST, IDX or npy, or one npy file without labels.
//!
//! No catalog describes such files, so everything comes from the files themselves and is checked between them: as many
//! labels as images, the same shape and type in training and test, finite numbers, labels from 0 to 255.
//!
//! The shape of an npy array says what a sample is: `[samples, inputs]` no image, `[samples, height, width]` a grey
//! image, `[samples, height, width, channels]` an image with its channels side by side, such as red, green, blue.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::content::Content;
use crate::dataset::{Dataset, Order, Shape, Split, Storage, Values, sha256};
use crate::error::{Error, Fault, Result, dimensions};
use crate::map::Map;
use crate::npy::Dtype;
use crate::search::is_there;
use crate::{idx, npy};

/// Deflate expands one byte to at most this many; a header that promises more is wrong.
const LARGEST_RATIO: usize = 1032;

/// Most classes: a label is one byte.
const MOST_CLASSES: usize = 256;

/// The file of a directory without labels.
const UNLABELLED: &str = "X.npy";

/// The four files of a directory with labels: what each holds, its short and its long name.
const FILES: [(&str, &str, &str); 4] = [
    ("training images", "train-images", "train-images-idx3-ubyte"),
    ("training labels", "train-labels", "train-labels-idx1-ubyte"),
    ("test images", "t10k-images", "t10k-images-idx3-ubyte"),
    ("test labels", "t10k-labels", "t10k-labels-idx1-ubyte"),
];

/// Opens a user's own data: a directory with labels, or images without labels.
///
/// **With labels.** `path` is a directory of four files. Each is looked for under four names, and the first that is
/// there is used; for the training images these are `train-images-idx3-ubyte`, `train-images-idx3-ubyte.gz`,
/// `train-images-idx3-ubyte.npy` and `train-images.npy`. The other files are `train-labels-idx1-ubyte`,
/// `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`. The number of classes is the largest label plus 1, at least 2.
///
/// **Without labels.** `path` is an npy file of images, or a directory that holds none of the four files but `X.npy`.
/// The set has no test samples and 0 classes.
///
/// # Shapes
/// Images are u8 or f32: `[samples, inputs]`, `[samples, height, width]` or `[samples, height, width, channels]`. Labels
/// are u8, i32 or i64: `[samples]`.
///
/// # Errors
/// [`Error::Incomplete`] where a file is missing, [`Error::Malformed`] where one does not follow its format,
/// [`Error::Mismatch`] where they do not fit together, [`Error::Archive`] for a bad `.gz`, [`Error::Io`].
///
/// # Allocates
/// The labels, f32 images, and the content of `.gz` files; other images stay in a memory map.
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
/// let data = rivalry_data::open_path(directory.path())?;
/// assert_eq!((data.train.samples(), data.train.inputs(), data.classes), (2, 3, 2));
///
/// let images = rivalry_data::open_path(&directory.path().join("train-images.npy"))?;
/// assert_eq!((images.train.samples(), images.test.samples(), images.classes), (2, 0, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn open_path(path: &Path) -> Result<Dataset> {
    if path.is_file() {
        return open_unlabelled(path, path);
    }
    let files = match find(path)? {
        Found::Labelled(files) => files,
        Found::Unlabelled(file) => return open_unlabelled(&file, path),
    };
    let (train_values, train_shape) = images(&files[0])?;
    let train_labels = labels(&files[1])?;
    let (test_values, test_shape) = images(&files[2])?;
    let test_labels = labels(&files[3])?;
    let largest = train_labels.iter().chain(&test_labels).max();
    let classes = largest.map_or(0, |&label| usize::from(label) + 1).max(2);
    let train = Split::labelled(train_values, train_shape.inputs(), train_labels, "training", path)?;
    let test = Split::labelled(test_values, test_shape.inputs(), test_labels, "test", path)?;
    Dataset::new(path.display().to_string(), [(train, train_shape), (test, test_shape)], classes, path)
}

/// Opens images without labels; `path` is how the user named them.
fn open_unlabelled(file: &Path, path: &Path) -> Result<Dataset> {
    let content = Content::map(file)?;
    let (values, shape) = npy_images(&content).map_err(|error| error.in_file(file))?;
    let nothing = match values.values() {
        Values::U8(_) => Storage::Bytes { content: Content::owned(Vec::new(), file), start: 0 },
        Values::F32(_) => Storage::F32(Vec::new().into()),
    };
    let (train, test) = (Split::unlabelled(values, shape.inputs()), Split::unlabelled(nothing, shape.inputs()));
    let sha256 = sha256(&train, &test);
    Ok(Dataset { name: path.display().to_string(), train, test, classes: 0, shape, sha256 })
}

/// The files of a directory.
enum Found {
    /// In the order of [`FILES`].
    Labelled([PathBuf; 4]),
    Unlabelled(PathBuf),
}

/// Looks for each of the four files under its names, then for the file without labels.
fn find(directory: &Path) -> Result<Found> {
    std::fs::read_dir(directory).map_err(|source| Error::io("open", directory, source))?;
    let found = FILES.map(|(_, short, long)| {
        let names = [long.to_string(), format!("{long}.gz"), format!("{long}.npy"), format!("{short}.npy")];
        names.iter().map(|name| directory.join(name)).find(|path| is_there(path))
    });
    if let [Some(a), Some(b), Some(c), Some(d)] = found {
        return Ok(Found::Labelled([a, b, c, d]));
    }
    let unlabelled = directory.join(UNLABELLED);
    if found.iter().all(Option::is_none) && is_there(&unlabelled) {
        return Ok(Found::Unlabelled(unlabelled));
    }
    let missing = || FILES.iter().zip(&found).filter(|(_, path)| path.is_none()).map(|(file, _)| file);
    let names = missing().map(|(_, short, long)| format!("{short}.npy or {long}(.gz)"));
    let mut hint = format!("put {} there", names.collect::<Vec<_>>().join(", "));
    if missing().count() == FILES.len() {
        hint += &format!(", or {UNLABELLED} for images without labels");
    }
    let missing = missing().map(|(what, ..)| (*what).to_owned()).collect();
    Err(Error::Incomplete { directory: directory.to_path_buf(), missing, hint })
}

fn is_npy(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "npy")
}

fn images(path: &Path) -> Result<(Storage, Shape)> {
    let content = read(path)?;
    if is_npy(path) {
        return npy_images(&content).map_err(|error| error.in_file(path));
    }
    let images = idx::images(content.bytes()).map_err(|error| error.in_file(path))?;
    Ok((Storage::end(&content, images.pixels.len()), Shape::grey(images.height, images.width)))
}

fn npy_images(content: &Content) -> Result<(Storage, Shape)> {
    let fail = |fault| Error::malformed("images", fault);
    let array = npy::parse(content.bytes())?;
    let shape = match *array.shape() {
        [_, inputs] => Shape::grey(1, inputs),
        [_, height, width] | [_, height, width, 1] => Shape::grey(height, width),
        [_, height, width, channels] => Shape { height, width, channels, order: Order::Pixels },
        _ => {
            let expected = "[samples, inputs], [samples, height, width] or [samples, height, width, channels]";
            return Err(fail(Fault::Shape { expected, found: format!("{:?}", array.shape()) }));
        }
    };
    if array.is_empty() {
        return Err(fail(Fault::Empty { dimensions: dimensions(array.shape()) }));
    }
    match array.dtype() {
        Dtype::U8 => Ok((Storage::end(content, array.len()), shape)),
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
    let labels = if is_npy(path) { npy_labels(content.bytes()) } else { idx::labels(content.bytes()).map(Vec::from) };
    labels.map_err(|error| error.in_file(path))
}

fn npy_labels(bytes: &[u8]) -> Result<Vec<u8>> {
    let fail = |fault| Error::malformed("labels", fault);
    let array = npy::parse(bytes)?;
    if array.shape().len() != 1 {
        return Err(fail(Fault::Shape { expected: "[samples]", found: format!("{:?}", array.shape()) }));
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
    let fail = |reason: String| Error::Archive { path: path.to_path_buf(), reason };
    let damaged = |error: std::io::Error| match error.kind() {
        ErrorKind::UnexpectedEof => fail("the gzip data ends early".into()),
        _ => fail(format!("it is no intact gzip file ({error})")),
    };
    // The header gives the length of the file, and nothing is unpacked beyond it. An impossible length is refused first.
    let mut stream = MultiGzDecoder::new(&packed[..]);
    let mut bytes = Vec::new();
    stream.by_ref().take(16).read_to_end(&mut bytes).map_err(damaged)?;
    let Some(length) = idx::whole_length(&bytes) else {
        // No such header: the parser says what is wrong with it.
        return Ok(Content::owned(bytes, path));
    };
    if length > packed.len().saturating_mul(LARGEST_RATIO) {
        return Err(fail(format!(
            "its header promises {length} bytes, but the {} packed bytes hold less",
            packed.len()
        )));
    }
    let rest = length.saturating_sub(bytes.len()) as u64;
    // One byte more reveals content that is too long, and the end of the stream, where its checksum is compared.
    stream.take(rest + 1).read_to_end(&mut bytes).map_err(damaged)?;
    Ok(Content::owned(bytes, path))
}
