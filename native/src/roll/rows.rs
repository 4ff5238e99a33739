//! One line of the electors' CSV to its three fields.

use memchr::memchr;

use super::blocks::LINE_BYTES_MAX;
use crate::normalise::Fault;

const COLUMNS: [&str; 3] = ["nas", "code", "law_id"];
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Why a row was refused; like the fault of a field, it never carries a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowFault {
    Blank,
    LineTooLong,
    Encoding,
    Quotes,
    ColumnCount,
    Field(Fault),
    Duplicate { first_line: u32 },
    AnotherCode { first_line: u32 },
}

impl RowFault {
    #[must_use]
    pub fn reason(self) -> String {
        match self {
            Self::Blank => "blank line".to_owned(),
            Self::LineTooLong => format!("line longer than {LINE_BYTES_MAX} bytes"),
            Self::Encoding => "not UTF-8".to_owned(),
            Self::Quotes => "quotation marks do not enclose a whole field of one line".to_owned(),
            Self::ColumnCount => "not exactly three columns".to_owned(),
            Self::Field(fault) => format!("{} {}", fault.field(), fault.reason()),
            Self::Duplicate { first_line } => format!("duplicate of line {first_line}"),
            Self::AnotherCode { first_line } => {
                format!("another code of the elector of line {first_line}")
            }
        }
    }
}

/// Splits a line, given without its `\n`, into three fields in the order of the file.
///
/// No valid value contains a quotation mark, so a quoted field needs no unescaping: either its
/// second mark closes it, or the row is bad.
pub fn split(line: &[u8]) -> Result<[&str; 3], RowFault> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() {
        return Err(RowFault::Blank);
    }
    if line.len() > LINE_BYTES_MAX {
        return Err(RowFault::LineTooLong);
    }
    let line = std::str::from_utf8(line).map_err(|_| RowFault::Encoding)?;
    let mut fields = [""; 3];
    let mut rest = Some(line);
    for field in &mut fields {
        (*field, rest) = next_field(rest.ok_or(RowFault::ColumnCount)?)?;
    }
    match rest {
        None => Ok(fields),
        Some(_) => Err(RowFault::ColumnCount),
    }
}

/// The first field of `text` and what follows its comma, if there is one.
fn next_field(text: &str) -> Result<(&str, Option<&str>), RowFault> {
    let Some(quoted) = text.strip_prefix('"') else {
        return Ok(match memchr(b',', text.as_bytes()) {
            Some(comma) => (&text[..comma], Some(&text[comma + 1..])),
            None => (text, None),
        });
    };
    let (field, rest) = quoted.split_once('"').ok_or(RowFault::Quotes)?;
    match rest.strip_prefix(',') {
        Some(rest) => Ok((field, Some(rest))),
        None if rest.is_empty() => Ok((field, None)),
        None => Err(RowFault::Quotes),
    }
}

/// Why the first line is no header. It is never echoed: it may be an elector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderFault {
    Empty,
    Utf16,
    Semicolons,
    Columns,
}

impl HeaderFault {
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::Empty => "the file is empty",
            Self::Utf16 => "the file is UTF-16; save it as UTF-8",
            Self::Semicolons => "the columns are parted by semicolons; save the file with commas",
            Self::Columns => {
                "the first line must name exactly the columns nas, code and law_id, in any order"
            }
        }
    }
}

/// Where each column is: `fields[columns.nas]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    pub nas: usize,
    pub code: usize,
    pub law_id: usize,
}

/// Reads the header, given without its `\n`. Names are taken in any case, spaces around them
/// ignored.
pub fn header(line: &[u8]) -> Result<Columns, HeaderFault> {
    if line.starts_with(b"\xff\xfe") || line.starts_with(b"\xfe\xff") {
        return Err(HeaderFault::Utf16);
    }
    let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
    let names = std::str::from_utf8(line).map_err(|_| HeaderFault::Columns)?;
    columns(names).map_err(|fault| match columns(&names.replace(';', ",")) {
        Ok(_) => HeaderFault::Semicolons,
        Err(_) => fault,
    })
}

fn columns(line: &str) -> Result<Columns, HeaderFault> {
    let fields = split(line.as_bytes()).map_err(|_| HeaderFault::Columns)?;
    let [nas, code, law_id] = COLUMNS.map(|name| {
        fields
            .iter()
            .position(|field| field.trim_matches(' ').eq_ignore_ascii_case(name))
            .ok_or(HeaderFault::Columns)
    });
    Ok(Columns {
        nas: nas?,
        code: code?,
        law_id: law_id?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines() {
        assert_eq!(split(b"a,b,c"), Ok(["a", "b", "c"]));
        assert_eq!(split(b"a,b,c\r"), Ok(["a", "b", "c"]));
        assert_eq!(split(b"\"a\",\"b,b\",c\r"), Ok(["a", "b,b", "c"]));
        assert_eq!(split(b"\"\",,\"\""), Ok(["", "", ""]));
        assert_eq!(split(b""), Err(RowFault::Blank));
        assert_eq!(split(b"\r"), Err(RowFault::Blank));
        assert_eq!(split(b"a,b"), Err(RowFault::ColumnCount));
        assert_eq!(split(b"a,b,c,"), Err(RowFault::ColumnCount));
        assert_eq!(split(b"a,b,\"c\","), Err(RowFault::ColumnCount));
        assert_eq!(split(b"\"a,b,c"), Err(RowFault::Quotes));
        assert_eq!(split(b"a,\"b\"b,c"), Err(RowFault::Quotes));
        assert_eq!(split(b"a,\"b\"\"b\",c"), Err(RowFault::Quotes));
        assert_eq!(split(b"a,b,\xe9"), Err(RowFault::Encoding));
        assert_eq!(
            split(&[b'a'; LINE_BYTES_MAX + 1]),
            Err(RowFault::LineTooLong)
        );
        assert_eq!(split(&[b'a'; LINE_BYTES_MAX]), Err(RowFault::ColumnCount));
    }

    #[test]
    fn headers() {
        let columns = |nas, code, law_id| Ok(Columns { nas, code, law_id });
        assert_eq!(header(b"nas,code,law_id\r"), columns(0, 1, 2));
        assert_eq!(
            header(b"\xef\xbb\xbf\"law_id\", NAS ,Code"),
            columns(1, 2, 0)
        );
        assert_eq!(header(b"nas;code;law_id"), Err(HeaderFault::Semicolons));
        assert_eq!(header(b"\xff\xfen\0a\0s\0"), Err(HeaderFault::Utf16));
        for bad in [
            "",
            "nas,code",
            "nas,code,law",
            "nas,nas,code",
            "nas,code,law_id,x",
        ] {
            assert_eq!(header(bad.as_bytes()), Err(HeaderFault::Columns), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn quoting_changes_nothing(fields in prop::array::uniform3("[^\"\r\n]{0,9}"),
                                   quoted in any::<[bool; 3]>()) {
            let line = std::iter::zip(&fields, quoted)
                .map(|(f, q)| if q || f.contains(',') { format!("\"{f}\"") } else { f.clone() })
                .collect::<Vec<_>>().join(",");
            prop_assert_eq!(split(line.as_bytes()), Ok(fields.each_ref().map(String::as_str)));
        }

        #[test]
        fn anything_is_survived(line in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = (split(&line), header(&line));
        }
    }
}
