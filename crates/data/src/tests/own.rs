//! A user's own data.

use std::fs;
use std::path::Path;

use super::parsers::npy_file;
use super::sets::gzip;
use crate::error::{Error, Fault};
use crate::{Order, Shape, Values, idx, npy, open_path};

/// Three training and two test images of 2 × 2 as IDX, with labels up to 4.
fn idx_files() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("train-images-idx3-ubyte", idx::encode_images(3, 2, 2, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])),
        ("train-labels-idx1-ubyte", idx::encode_labels(&[0, 4, 2])),
        ("t10k-images-idx3-ubyte", idx::encode_images(2, 2, 2, &[0, 255, 0, 255, 9, 9, 9, 9])),
        ("t10k-labels-idx1-ubyte", idx::encode_labels(&[1, 3])),
    ]
}

fn npy_files() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("train-images.npy", npy::write_u8(&[3, 2, 2], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])),
        ("train-labels.npy", npy::write_u8(&[3], &[0, 4, 2])),
        ("t10k-images.npy", npy::write_u8(&[2, 2, 2], &[0, 255, 0, 255, 9, 9, 9, 9])),
        ("t10k-labels.npy", npy::write_u8(&[2], &[1, 3])),
    ]
}

fn write(directory: &Path, files: &[(&str, Vec<u8>)]) {
    for (name, content) in files {
        fs::write(directory.join(name), content).unwrap();
    }
}

/// Opens the files with one of them replaced.
fn with(mut files: Vec<(&'static str, Vec<u8>)>, index: usize, content: Vec<u8>) -> crate::Result<crate::Dataset> {
    let directory = tempfile::tempdir().unwrap();
    files[index].1 = content;
    write(directory.path(), &files);
    open_path(directory.path())
}

fn fault(result: crate::Result<crate::Dataset>) -> Fault {
    match result.unwrap_err() {
        Error::Malformed { fault, path: Some(_), .. } => fault,
        other => panic!("{other}"),
    }
}

#[test]
fn all_formats_and_names_give_the_same_data() {
    let long_npy =
        npy_files().into_iter().zip(idx_files()).map(|((_, content), (name, _))| (format!("{name}.npy"), content));
    let packed = idx_files().into_iter().map(|(name, content)| (format!("{name}.gz"), gzip(&content)));
    let owned =
        |files: Vec<(&str, Vec<u8>)>| files.into_iter().map(|(name, content)| (name.to_string(), content)).collect();
    let forms: Vec<Vec<(String, Vec<u8>)>> =
        vec![owned(idx_files()), owned(npy_files()), long_npy.collect(), packed.collect()];
    let mut digests = Vec::new();
    for files in forms {
        let directory = tempfile::tempdir().unwrap();
        for (name, content) in &files {
            fs::write(directory.path().join(name), content).unwrap();
        }
        let data = open_path(directory.path()).unwrap();
        assert_eq!((data.train.samples(), data.test.samples(), data.train.inputs(), data.classes), (3, 2, 4, 5));
        assert_eq!(data.shape, Shape::grey(2, 2));
        assert_eq!(data.train.values(), Values::U8(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]));
        assert_eq!(data.test.labels(), [1, 3]);
        assert_eq!(data.name, directory.path().display().to_string());
        digests.push(data.sha256);
    }
    assert!(digests.iter().all(|digest| digest.len() == 64 && *digest == digests[0]), "{digests:?}");
}

#[test]
fn an_idx_file_goes_before_its_archive_and_before_npy() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), &idx_files());
    write(directory.path(), &[("train-images-idx3-ubyte.gz", vec![1]), ("train-images.npy", vec![2])]);
    assert!(open_path(directory.path()).is_ok());
}

#[test]
fn numbers_and_wide_labels_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let labels = |dtype: &str, data: Vec<u8>| {
        npy_file(1, &format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': (2,)}}"), &data)
    };
    let files = [
        ("train-images.npy", npy::write_f32(&[2, 3], &[0.5, -1.0, 2.0, 0.0, 1e-3, 7.0])),
        ("train-labels.npy", labels("<i8", [255_i64, 0].iter().flat_map(|label| label.to_le_bytes()).collect())),
        ("t10k-images.npy", npy::write_f32(&[2, 3], &[1.0; 6])),
        ("t10k-labels.npy", labels("<i4", [1_i32, 0].iter().flat_map(|label| label.to_le_bytes()).collect())),
    ];
    write(directory.path(), &files);
    let data = open_path(directory.path()).unwrap();
    assert_eq!(data.train.values(), Values::F32(&[0.5, -1.0, 2.0, 0.0, 1e-3, 7.0]));
    assert_eq!((data.classes, data.shape.height, data.shape.width), (256, 1, 3));
    assert_eq!(data.train.labels(), [255, 0]);
}

#[test]
fn one_class_counts_as_two() {
    let directory = tempfile::tempdir().unwrap();
    let mut files = idx_files();
    files[1].1 = idx::encode_labels(&[0; 3]);
    files[3].1 = idx::encode_labels(&[0; 2]);
    write(directory.path(), &files);
    assert_eq!(open_path(directory.path()).unwrap().classes, 2);
}

#[test]
fn images_keep_their_shape() {
    let shaped = |sizes: &[usize]| {
        let directory = tempfile::tempdir().unwrap();
        for (split, samples) in [("train", 3), ("t10k", 2)] {
            let sizes = [&[samples], sizes].concat();
            let images = npy::write_u8(&sizes, &vec![7; sizes.iter().product()]);
            let labels = npy::write_u8(&[samples], &vec![1; samples]);
            write(
                directory.path(),
                &[(&format!("{split}-images.npy"), images), (&format!("{split}-labels.npy"), labels)],
            );
        }
        let data = open_path(directory.path()).unwrap();
        assert_eq!((data.train.samples(), data.train.inputs()), (3, sizes.iter().product()));
        data.shape
    };
    assert_eq!(shaped(&[12]), Shape::grey(1, 12));
    assert_eq!(shaped(&[3, 4]), Shape::grey(3, 4));
    assert_eq!(shaped(&[3, 4, 1]), Shape::grey(3, 4));
    let colour = shaped(&[5, 4, 3]);
    assert_eq!(colour, Shape { height: 5, width: 4, channels: 3, order: Order::Pixels });
    assert_eq!(colour.to_string(), "5 × 4 × 3");
}

#[test]
fn images_without_labels_are_one_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("X.npy");
    fs::write(&file, npy::write_u8(&[4, 2, 2, 3], &[9; 48])).unwrap();
    for path in [directory.path(), &file] {
        let data = open_path(path).unwrap();
        assert_eq!((data.train.samples(), data.train.inputs(), data.shape.channels), (4, 12, 3));
        assert_eq!(
            (data.train.labels(), data.test.samples(), data.test.labels(), data.classes),
            (&[][..], 0, &[][..], 0)
        );
        assert!(data.test.values().is_empty());
        assert_eq!((data.name, data.sha256.len()), (path.display().to_string(), 64));
    }
    fs::write(&file, npy::write_f32(&[2, 2], &[0.0, 1.0, 2.0, f32::NAN])).unwrap();
    assert!(matches!(fault(open_path(&file)), Fault::NotFinite { sample: 1, .. }));
    fs::write(directory.path().join("other.npy"), npy::write_f32(&[2, 2], &[0.5; 4])).unwrap();
    let data = open_path(&directory.path().join("other.npy")).unwrap();
    assert_eq!(data.train.values(), Values::F32(&[0.5; 4]));

    // Labelled files go before X.npy, and some of them without the others are an error.
    write(directory.path(), &idx_files());
    assert_eq!(open_path(directory.path()).unwrap().classes, 5);
    fs::remove_file(directory.path().join("t10k-labels-idx1-ubyte")).unwrap();
    assert!(matches!(open_path(directory.path()).unwrap_err(), Error::Incomplete { .. }));
}

#[test]
fn files_that_do_not_fit_together_are_refused() {
    let mismatch = |result: crate::Result<crate::Dataset>| match result.unwrap_err() {
        Error::Mismatch { problem, .. } => problem,
        other => panic!("{other}"),
    };
    let labels = mismatch(with(idx_files(), 1, idx::encode_labels(&[1, 2])));
    assert_eq!(labels, "3 training images, but 2 training labels");
    assert_eq!(mismatch(with(idx_files(), 3, idx::encode_labels(&[1; 9]))), "2 test images, but 9 test labels");
    let shape = mismatch(with(idx_files(), 2, idx::encode_images(2, 4, 1, &[0; 8])));
    assert_eq!(shape, "training images of 2 × 2 u8, but test images of 4 × 1 u8");
    let dtype = mismatch(with(npy_files(), 2, npy::write_f32(&[2, 2, 2], &[0.0; 8])));
    assert_eq!(dtype, "training images of 2 × 2 u8, but test images of 2 × 2 f32");
}

#[test]
fn each_bad_file_is_refused_by_name() {
    let shape = |shape: &[usize]| npy::write_u8(shape, &vec![0; shape.iter().product()]);
    assert!(matches!(fault(with(idx_files(), 0, b"bad".to_vec())), Fault::Header { .. }));
    assert!(matches!(fault(with(npy_files(), 0, shape(&[12]))), Fault::Shape { .. }));
    assert!(matches!(fault(with(npy_files(), 0, shape(&[3, 2, 2, 1, 1]))), Fault::Shape { .. }));
    assert!(matches!(fault(with(npy_files(), 0, shape(&[0, 4]))), Fault::Empty { .. }));
    assert!(matches!(fault(with(npy_files(), 0, shape(&[3, 0]))), Fault::Empty { .. }));
    assert!(matches!(fault(with(npy_files(), 1, shape(&[3, 1]))), Fault::Shape { .. }));
    assert!(matches!(fault(with(npy_files(), 1, shape(&[0]))), Fault::Empty { .. }));
    assert!(matches!(fault(with(npy_files(), 1, npy::write_f32(&[3], &[0.0; 3]))), Fault::Dtype { .. }));
    let wide = npy_file(1, "{'descr': '<i8', 'fortran_order': False, 'shape': (3, 4)}", &[0; 96]);
    assert!(matches!(fault(with(npy_files(), 0, wide)), Fault::Dtype { .. }));
    for value in [f32::NAN, f32::INFINITY] {
        let mut values = [0.0; 12];
        values[5] = value;
        let found = fault(with(npy_files(), 0, npy::write_f32(&[3, 4], &values)));
        assert!(matches!(found, Fault::NotFinite { sample: 1, .. }), "{found}");
    }
    for label in [-1_i64, 256, i64::MIN] {
        let data: Vec<u8> = [0, 0, label].iter().flat_map(|label| label.to_le_bytes()).collect();
        let labels = npy_file(1, "{'descr': '<i8', 'fortran_order': False, 'shape': (3,)}", &data);
        let found = fault(with(npy_files(), 1, labels));
        assert_eq!(found, Fault::Label { classes: 256, label, sample: 2 });
    }
}

#[test]
fn missing_files_and_directories_are_named() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), &idx_files()[..2]);
    let error = open_path(directory.path()).unwrap_err();
    assert!(matches!(&error, Error::Incomplete { missing, .. } if missing.len() == 2), "{error}");
    assert_eq!(error.to_string(), format!("{} has no test images, no test labels", directory.path().display()));
    let hint =
        "put t10k-images.npy or t10k-images-idx3-ubyte(.gz), t10k-labels.npy or t10k-labels-idx1-ubyte(.gz) there";
    assert_eq!(error.hint().unwrap(), hint);
    assert!(!error.is_missing());
    let empty = open_path(tempfile::tempdir().unwrap().path()).unwrap_err();
    assert!(empty.hint().unwrap().ends_with("or X.npy for images without labels"), "{empty}");
    let error = open_path(&directory.path().join("nowhere")).unwrap_err();
    assert!(matches!(error, Error::Io { action: "open", .. }), "{error}");
}

#[test]
fn packed_files_are_bounded_by_their_header() {
    let packed = |content: Vec<u8>| {
        let mut files = idx_files();
        files[0] = ("train-images-idx3-ubyte.gz", Vec::new());
        with(files, 0, content)
    };
    let good = &idx_files()[0].1;
    assert!(packed(gzip(good)).is_ok());
    assert!(matches!(fault(packed(gzip(&[&good[..], &[0; 99]].concat()))), Fault::Length { expected: 28, found: 29 }));
    assert!(matches!(fault(packed(gzip(&good[..20]))), Fault::Length { expected: 28, found: 20 }));
    assert!(matches!(fault(packed(gzip(b"0123456789abcdefghi"))), Fault::Magic { .. }));
    let mut lies = good.clone();
    lies[4] = 0x7f;
    let error = packed(gzip(&lies)).unwrap_err();
    assert!(matches!(&error, Error::Archive { reason, .. } if reason.starts_with("its header promises")), "{error}");
    let cut = gzip(good);
    for length in [0, 5, cut.len() - 9, cut.len() - 1] {
        let error = packed(cut[..length].to_vec()).unwrap_err();
        assert!(matches!(error, Error::Archive { .. }), "{length}: {error}");
    }
}
