//! npy files as NumPy writes them, and as other programs may.

use super::hostile::npy_file;
use crate::npy::{self, Dtype};

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
