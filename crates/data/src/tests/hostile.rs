//! One run of bad bytes for every way in which a parser can refuse, and every shorter or longer file.

use crate::error::{Error, Fault};
use crate::{cifar, idx, npy};

fn fault<T: std::fmt::Debug>(result: crate::Result<T>) -> Fault {
    match result.expect_err("bad bytes are refused") {
        Error::Malformed { path: None, fault, .. } => fault,
        other => panic!("a parser said {other}"),
    }
}

fn idx_header(magic: u32, sizes: &[u32]) -> Vec<u8> {
    [magic].iter().chain(sizes).flat_map(|word| word.to_be_bytes()).collect()
}

#[test]
fn idx_refuses_each_bad_header() {
    let images = |bytes: &[u8]| fault(idx::images(bytes));
    assert_eq!(images(b""), Fault::Header { expected: 16, found: 0 });
    assert_eq!(images(&idx_header(idx::IMAGES_MAGIC, &[1, 1])), Fault::Header { expected: 16, found: 12 });
    let labels_for_images = Fault::Magic { expected: "0x00000803".into(), found: "0x00000801".into() };
    assert_eq!(images(&idx::encode_labels(&[1, 2])), labels_for_images);
    assert!(matches!(fault(idx::labels(&idx::encode_images(1, 1, 1, &[0]))), Fault::Magic { .. }));
    // Gzip bytes under the name of the unpacked file.
    assert!(matches!(images(&[0x1f, 0x8b, 8, 0, 0]), Fault::Magic { .. }));
    let huge = idx_header(idx::IMAGES_MAGIC, &[u32::MAX; 3]);
    assert!(matches!(images(&huge), Fault::TooLarge { .. }));
    for sizes in [[0, 28, 28], [5, 0, 28], [5, 28, 0]] {
        assert!(matches!(images(&idx_header(idx::IMAGES_MAGIC, &sizes)), Fault::Empty { .. }), "{sizes:?}");
    }
    assert!(matches!(fault(idx::labels(&idx_header(idx::LABELS_MAGIC, &[0]))), Fault::Empty { .. }));
    let too_few = idx_header(idx::IMAGES_MAGIC, &[60_000, 28, 28]);
    assert_eq!(images(&too_few), Fault::Length { expected: 47_040_016, found: 16 });
}

#[test]
fn idx_lengths_are_exact() {
    let (images, labels) = (idx::encode_images(3, 2, 5, &[7; 30]), idx::encode_labels(&[1, 2, 3]));
    assert_eq!(idx::whole_length(&images[..16]), Some(images.len()));
    assert_eq!(idx::whole_length(&labels[..8]), Some(labels.len()));
    for length in 0..images.len() {
        assert!(idx::images(&images[..length]).is_err(), "{length}");
    }
    for length in 0..labels.len() {
        assert!(idx::labels(&labels[..length]).is_err(), "{length}");
    }
    let longer = [&images[..], &[0]].concat();
    assert_eq!(fault(idx::images(&longer)), Fault::Length { expected: 46, found: 47 });
    assert!(idx::labels(&[&labels[..], &[0]].concat()).is_err());
}

#[test]
fn idx_reads_what_it_writes() {
    for samples in 1..6 {
        for height in 1..4 {
            for width in 1..4 {
                let pixels: Vec<u8> = (0..samples * height * width).map(|index| index as u8).collect();
                let bytes = idx::encode_images(samples, height, width, &pixels);
                let read = idx::images(&bytes).unwrap();
                assert_eq!((read.samples, read.height, read.width, read.pixels), (samples, height, width, &pixels[..]));
            }
        }
    }
}

#[test]
fn labels_must_be_classes() {
    assert!(idx::check_labels(&[0, 9, 3], 10).is_ok());
    assert_eq!(fault(idx::check_labels(&[0, 9, 10, 200], 10)), Fault::Label { classes: 10, label: 10, sample: 2 });
}

#[test]
fn cifar_refuses_each_bad_file() {
    assert!(matches!(fault(cifar::records(b"")), Fault::Empty { .. }));
    let good = vec![3; 2 * cifar::RECORD];
    assert_eq!(cifar::records(&good).unwrap().samples(), 2);
    for length in (1..good.len()).filter(|length| *length != cifar::RECORD) {
        assert_eq!(fault(cifar::records(&good[..length])), Fault::Record { record: 3073, found: length });
    }
    let mut bad = good;
    bad[cifar::RECORD] = 10;
    assert_eq!(fault(cifar::records(&bad)), Fault::Label { classes: 10, label: 10, sample: 1 });
}

/// An npy file with this header, which is padded to a full line.
pub(super) fn npy_file(major: u8, header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY".to_vec();
    bytes.extend([major, 0]);
    match major {
        1 => bytes.extend((header.len() as u16).to_le_bytes()),
        _ => bytes.extend((header.len() as u32).to_le_bytes()),
    }
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

#[test]
fn npy_refuses_each_bad_header() {
    let parse = |bytes: &[u8]| fault(npy::parse(bytes));
    let with = |header: &str| parse(&npy_file(1, header, &[0; 4]));
    let good = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }\n";
    assert!(npy::parse(&npy_file(1, good, &[0; 4])).is_ok());

    assert!(matches!(parse(b""), Fault::Header { .. }));
    assert!(matches!(parse(b"\x93NUMPX\x01\x00\x00\x00"), Fault::Magic { .. }));
    assert_eq!(parse(&npy_file(4, good, &[0; 4])), Fault::Version { found: "4.0".into() });
    assert!(matches!(parse(b"\x93NUMPY\x01\x00\xff\xff{"), Fault::Header { expected: 65_545, found: 11 }));
    assert!(matches!(parse(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{"), Fault::Header { .. }));
    let fortran = with("{'descr': '<f4', 'fortran_order': True, 'shape': (1,)}");
    assert_eq!(fortran, Fault::FortranOrder);
    for dtype in [">f4", ">i8", "<f2", "|i1", "<u4", "<c8", "|O", "|b1", "|S4", ""] {
        let header = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': (1,)}}");
        assert!(matches!(with(&header), Fault::Dtype { .. }), "{dtype}");
    }
    let shape = |shape: &str| with(&format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}"));
    assert!(matches!(shape("(4294967296, 4294967296)"), Fault::TooLarge { .. }));
    assert!(matches!(shape("(18446744073709551615,)"), Fault::TooLarge { .. }));
    assert!(matches!(shape("(99999999999999999999,)"), Fault::Syntax { .. }));
    assert!(matches!(shape("(2,)"), Fault::Length { .. }));
    for bad in ["(-1,)", "(1.5,)", "(1", "1", "[1]", "(1,,)", "(,)", "('a',)", "()extra"] {
        assert!(matches!(shape(bad), Fault::Syntax { .. }), "{bad}: {:?}", shape(bad));
    }
    for bad in [
        "",
        "{",
        "{}",
        "[]",
        "{'descr': '<f4'}",
        "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': '<f4', 'shape': (1,)}",
        "{'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': '1'}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x",
        "{'descr' '<f4', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4",
        "{'descr': '<f4' 'fortran_order': False, 'shape': (1,)}",
    ] {
        assert!(matches!(with(bad), Fault::Syntax { .. }), "{bad}");
    }
    let mut binary = npy_file(1, good, &[0; 4]);
    binary[12] = 0xff;
    assert!(matches!(parse(&binary), Fault::Syntax { .. }));
}

#[test]
fn npy_lengths_are_exact() {
    let good = npy::write_f32(&[2, 3], &[1.0; 6]);
    for length in 0..good.len() {
        assert!(npy::parse(&good[..length]).is_err(), "{length}");
    }
    assert_eq!(fault(npy::parse(&[&good[..], &[0]].concat())), Fault::Length { expected: 152, found: 153 });
}

/// Any single byte changed in any file: refused or read, never a panic, and never more elements than there are bytes.
#[test]
fn no_byte_makes_a_parser_panic() {
    let npy = npy::write_f32(&[2, 3], &[1.0; 6]);
    let idx = idx::encode_images(2, 3, 4, &[9; 24]);
    for index in 0..npy.len().max(idx.len()) {
        for value in 0..=255 {
            let change = |bytes: &[u8]| {
                let mut bytes = bytes.to_vec();
                if let Some(byte) = bytes.get_mut(index) {
                    *byte = value;
                }
                bytes
            };
            let changed = change(&npy);
            if let Ok(array) = npy::parse(&changed) {
                assert!(array.len() * array.dtype().size() <= 24);
            }
            let changed = change(&idx);
            if let Ok(images) = idx::images(&changed) {
                assert_eq!(images.samples * images.height * images.width, images.pixels.len());
            }
        }
    }
}

#[test]
fn errors_are_one_line_with_a_hint() {
    let error = idx::images(b"short").unwrap_err().in_file("data/mnist/train-images-idx3-ubyte".as_ref());
    let line = error.to_string();
    assert_eq!(line, "idx images, data/mnist/train-images-idx3-ubyte, expected magic 0x00000803, found 0x73686f72");
    assert!(error.hint().unwrap().contains("damaged"));
    assert!(!error.is_missing());
    let fortran = npy::parse(&npy_file(1, "{'descr': '<f4', 'fortran_order': True, 'shape': ()}", &[])).unwrap_err();
    assert_eq!(fortran.to_string(), "npy array, bytes, expected rows first (c order), found fortran order");
    assert!(fortran.hint().unwrap().contains("ascontiguousarray"));
    let unknown = "mnst".parse::<crate::Name>().unwrap_err();
    assert_eq!(unknown.to_string(), "data set, name, expected mnist, cifar10 or synthetic, found \"mnst\"");
}
