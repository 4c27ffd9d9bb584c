//! The parsers over bytes: one hostile test for every fault, every shorter or longer file, and npy files as NumPy and
//! other programs write them.

use crate::error::{Error, Fault};
use crate::npy::{self, Dtype};
use crate::{cifar, idx};

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
fn errors_are_one_sentence_with_a_hint() {
    let error = idx::images(b"short").unwrap_err().in_file("data/mnist/train-images-idx3-ubyte".as_ref());
    let line = error.to_string();
    assert_eq!(
        line,
        "cannot read IDX images from data/mnist/train-images-idx3-ubyte: the magic number is 0x73686f72, not 0x00000803"
    );
    assert!(error.hint().unwrap().contains("good copy"));
    assert!(!error.is_missing());
    let fortran = npy::parse(&npy_file(1, "{'descr': '<f4', 'fortran_order': True, 'shape': ()}", &[])).unwrap_err();
    assert_eq!(fortran.to_string(), "cannot read an npy array: the array is stored by columns (Fortran order)");
    assert!(fortran.hint().unwrap().contains("ascontiguousarray"));
    let unknown = "mnst".parse::<crate::Name>().unwrap_err();
    assert_eq!(unknown.to_string(), "there is no data set called \"mnst\"");
    assert!(unknown.hint().unwrap().contains("mnist, cifar10 or synthetic"));
    let gone = crate::map::Map::open("/nowhere/at/all".as_ref()).unwrap_err();
    assert_eq!(gone.to_string(), "cannot open /nowhere/at/all: no such file");
}

/// `numpy.save` of `numpy.arange(6, dtype='<f4').reshape(2, 3)`, NumPy 1.26: 128 bytes of header.
#[test]
fn writes_the_bytes_of_numpy() {
    let written = npy::write_f32(&[2, 3], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    let mut numpy = b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }".to_vec();
    numpy.resize(127, b' ');
    numpy.push(b'\n');
    for value in 0_u8..6 {
        numpy.extend(f32::from(value).to_le_bytes());
    }
    assert_eq!(written, numpy);
}

#[test]
fn shapes_of_any_rank_come_back() {
    for shape in [vec![], vec![0], vec![5], vec![2, 3], vec![2, 0, 3], vec![1, 2, 3, 4, 5], vec![1; 32]] {
        let values: Vec<f32> = (0..shape.iter().product()).map(|index: usize| index as f32 - 1.5).collect();
        let bytes = npy::write_f32(&shape, &values);
        assert_eq!((bytes.len() - 4 * values.len()) % 64, 0, "elements begin at a multiple of 64");
        let array = npy::parse(&bytes).unwrap();
        assert_eq!((array.shape(), array.len(), array.is_empty()), (&shape[..], values.len(), values.is_empty()));
        assert_eq!(array.to_f32().unwrap(), values);
        let bytes = npy::write_u8(&shape, &vec![7; values.len()]);
        assert_eq!(npy::parse(&bytes).unwrap().as_u8().unwrap(), vec![7; values.len()]);
    }
}

/// A header of version 1 holds 65 535 bytes; beyond that it must be version 2.
#[test]
fn a_long_shape_takes_version_two() {
    let shape = vec![1; 30_000];
    let bytes = npy::write_u8(&shape, &[9]);
    assert_eq!(bytes[6], 2);
    assert_eq!(npy::parse(&bytes).unwrap().shape(), shape);
}

#[test]
fn versions_spaces_quotes_and_order_are_free() {
    for major in 1..=3 {
        for header in [
            "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }   \n",
            "{\"shape\":(2),\"descr\":\"<i4\",\"fortran_order\":False}",
            " {  'fortran_order' : False ,'shape' : ( 2 , ) , 'descr' : '<i4' } ",
        ] {
            let bytes = npy_file(major, header, &[1, 0, 0, 0, 254, 255, 255, 255]);
            let array = npy::parse(&bytes).unwrap_or_else(|error| panic!("{header}: {error}"));
            assert_eq!((array.dtype(), array.to_i64().unwrap()), (Dtype::I32, vec![1, -2]));
        }
    }
}

/// The elements may begin at any address.
#[test]
fn unaligned_elements_are_read() {
    for padding in 0..8 {
        let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': (2,)}}{}", " ".repeat(padding));
        let data: Vec<u8> = [1.25_f64, -1e300].iter().flat_map(|value| value.to_le_bytes()).collect();
        let bytes = npy_file(1, &header, &data);
        let array = npy::parse(&bytes).unwrap();
        assert_eq!(array.to_f64().unwrap(), [1.25, -1e300]);
        assert_eq!(array.to_f32().unwrap(), [1.25, f32::NEG_INFINITY]);
    }
}

#[test]
fn every_type_converts_to_its_kind_only() {
    let file = |dtype: &str, data: &[u8]| {
        npy_file(1, &format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': (1,)}}"), data)
    };
    let eight = (-3_i64).to_le_bytes();
    assert_eq!(npy::parse(&file("<i8", &eight)).unwrap().to_i64().unwrap(), [-3]);
    for dtype in ["|u1", "<u1", "u1"] {
        let bytes = file(dtype, &[200]);
        let array = npy::parse(&bytes).unwrap();
        assert_eq!((array.to_i64().unwrap(), array.as_u8()), (vec![200], Some(&[200][..])));
        assert!(array.to_f32().is_err() && array.to_f64().is_err());
    }
    let float = file("<f4", &1.5_f32.to_le_bytes());
    let float = npy::parse(&float).unwrap();
    assert_eq!((float.to_f64().unwrap(), float.as_u8(), float.bytes().len()), (vec![1.5], None, 4));
    assert!(float.to_i64().is_err());
}

#[test]
#[should_panic(expected = "values do not fill the shape")]
fn writing_checks_the_shape() {
    let _ = npy::write_f32(&[2, 2], &[0.0; 3]);
}
