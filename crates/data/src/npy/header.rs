//! The header of an npy file: a Python dictionary with three keys, in text.
//!
//! Any program may have written it, so order, spaces, kind of quotes and a last comma are free; a key that is missing,
//! unknown or there twice is refused.

use super::Dtype;
use crate::error::Fault;

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// NumPy pads to this, so that the elements of a mapped file are aligned.
const ALIGNMENT: usize = 64;

/// What a header says.
pub(super) struct Header {
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
}

/// Splits a file into its header and its elements.
pub(super) fn parse(bytes: &[u8]) -> Result<(Header, &[u8]), Fault> {
    let short = |expected| Fault::Header { expected, found: bytes.len() };
    let magic = bytes.get(..MAGIC.len()).ok_or_else(|| short(MAGIC.len() + 4))?;
    if magic != MAGIC {
        return Err(Fault::Magic { expected: hex(MAGIC), found: hex(magic) });
    }
    let (major, minor) = (*bytes.get(6).ok_or_else(|| short(10))?, *bytes.get(7).ok_or_else(|| short(10))?);
    let start = match (major, minor) {
        (1, 0) => 10,
        (2 | 3, 0) => 12,
        _ => return Err(Fault::Version { found: format!("{major}.{minor}") }),
    };
    let length = bytes.get(8..start).ok_or_else(|| short(start))?;
    let length = length.iter().rev().fold(0_usize, |length, &byte| length << 8 | usize::from(byte));
    let text = bytes.get(start..start + length).ok_or_else(|| short(start + length))?;
    let text = std::str::from_utf8(text)
        .map_err(|_| Fault::Syntax { expected: "a header in text", found: "other bytes".into() })?;
    Ok((Scanner { rest: text }.dictionary()?, &bytes[start + length..]))
}

/// Writes a header of version 1.0, or 2.0 where the shape is too long for that.
pub(super) fn write(dtype: Dtype, shape: &[usize]) -> Vec<u8> {
    let mut sizes: String = shape.iter().map(|size| format!("{size}, ")).collect();
    // Python needs the comma of a tuple of one, and NumPy writes none after the last of several.
    let drop = if shape.len() == 1 { 1 } else { 2 };
    sizes.truncate(sizes.len().saturating_sub(drop));
    let text = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({sizes}), }}");
    let whole = |start: usize| (start + text.len() + 1).next_multiple_of(ALIGNMENT);
    let mut bytes = MAGIC.to_vec();
    let end = match u16::try_from(whole(10) - 10) {
        Ok(length) => {
            bytes.extend([1, 0]);
            bytes.extend(length.to_le_bytes());
            whole(10)
        }
        Err(_) => {
            bytes.extend([2, 0]);
            bytes.extend(u32::try_from(whole(12) - 12).expect("a shape that is in memory").to_le_bytes());
            whole(12)
        }
    };
    bytes.extend(text.bytes());
    bytes.resize(end - 1, b' ');
    bytes.push(b'\n');
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

/// What of the text is still to be read.
struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    fn dictionary(mut self) -> Result<Header, Fault> {
        let (mut dtype, mut fortran, mut shape) = (None, None, None);
        self.expect('{', "a dictionary that starts with {")?;
        while !self.eat('}') {
            let key = self.quoted()?;
            self.expect(':', "a colon after a key")?;
            let again = match key {
                "descr" => dtype.replace(self.quoted()?).is_some(),
                "fortran_order" => fortran.replace(self.truth()?).is_some(),
                "shape" => shape.replace(self.tuple()?).is_some(),
                _ => return Err(Fault::Syntax { expected: "keys descr, fortran_order and shape", found: quote(key) }),
            };
            if again {
                return Err(Fault::Syntax { expected: "every key once", found: format!("{} twice", quote(key)) });
            }
            if !self.eat(',') {
                self.expect('}', "a comma or } after a value")?;
                break;
            }
        }
        if !self.rest.trim_matches([' ', '\n', '\r', '\t', '\0']).is_empty() {
            return Err(self.fault("nothing after the dictionary"));
        }
        let none =
            |key: &str| Fault::Syntax { expected: "keys descr, fortran_order and shape", found: format!("no {key}") };
        let dtype = dtype.ok_or_else(|| none("descr"))?;
        let shape = shape.ok_or_else(|| none("shape"))?;
        match fortran.ok_or_else(|| none("fortran_order"))? {
            "False" => Ok(Header { dtype: dtype_of(dtype)?, shape }),
            _ => Err(Fault::FortranOrder),
        }
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\n', '\r', '\t']);
    }

    fn eat(&mut self, wanted: char) -> bool {
        self.skip_space();
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, wanted: char, expected: &'static str) -> Result<(), Fault> {
        if self.eat(wanted) { Ok(()) } else { Err(self.fault(expected)) }
    }

    fn fault(&self, expected: &'static str) -> Fault {
        let start: String = self.rest.chars().take(20).collect();
        Fault::Syntax { expected, found: if start.is_empty() { "the end of the header".into() } else { quote(&start) } }
    }

    fn quoted(&mut self) -> Result<&'a str, Fault> {
        self.skip_space();
        let fault = self.fault("text in quotes");
        let mark = self.rest.chars().next().filter(|mark| ['\'', '"'].contains(mark)).ok_or_else(|| fault.clone())?;
        let (text, rest) = self.rest[1..].split_once(mark).ok_or(fault)?;
        self.rest = rest;
        Ok(text)
    }

    fn truth(&mut self) -> Result<&'a str, Fault> {
        self.skip_space();
        for word in ["False", "True"] {
            if let Some(rest) = self.rest.strip_prefix(word) {
                self.rest = rest;
                return Ok(word);
            }
        }
        Err(self.fault("True or False"))
    }

    fn tuple(&mut self) -> Result<Vec<usize>, Fault> {
        self.expect('(', "a shape in parentheses")?;
        let mut sizes = Vec::new();
        while !self.eat(')') {
            self.skip_space();
            let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
            let size = self.rest[..end].parse().map_err(|_| self.fault("a size that fits in memory"))?;
            self.rest = &self.rest[end..];
            sizes.push(size);
            if !self.eat(',') {
                self.expect(')', "a comma or ) after a size")?;
                break;
            }
        }
        Ok(sizes)
    }
}

fn dtype_of(text: &str) -> Result<Dtype, Fault> {
    let all = [Dtype::U8, Dtype::I32, Dtype::I64, Dtype::F32, Dtype::F64];
    // The order of bytes means nothing where there is one.
    if ["<u1", ">u1", "=u1", "u1"].contains(&text) {
        return Ok(Dtype::U8);
    }
    all.into_iter()
        .find(|dtype| dtype.as_str() == text)
        .ok_or_else(|| Fault::Dtype { expected: "|u1, <i4, <i8, <f4 or <f8 (little-endian)", found: quote(text) })
}

fn quote(text: &str) -> String {
    format!("{text:?}")
}
