//! What an elector may type and what is hashed: one implementation, offline and online.
//!
//! Removed from NAS and codes, because people and word processors put them there: the *spaces*
//! space, tab, no-break space and narrow no-break space, and the *hyphens* `-`, U+2010 and U+2011.
//! Nothing else is guessed: every other character outside ASCII letters and digits is refused
//! (no Unicode folding, so neither `ß` nor `İ` nor an Arabic digit becomes ASCII), and so is a
//! line break.

pub const NAS_DIGITS: usize = 9;
pub const CODE_CHARS_MIN: usize = 6;
pub const CODE_CHARS_MAX: usize = 32;
pub const LAW_ID_CHARS_MAX: usize = 50;

/// Why a field was refused. It never carries the value: NAS and codes must not reach a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    NasUnicode,
    NasCharacter,
    NasLength,
    CodeUnicode,
    CodeCharacter,
    CodeLength,
    LawIdUnicode,
    LawIdCharacter,
    LawIdLength,
    Vote,
}

impl Fault {
    #[must_use]
    pub fn field(self) -> &'static str {
        match self {
            Self::NasUnicode | Self::NasCharacter | Self::NasLength => "nas",
            Self::CodeUnicode | Self::CodeCharacter | Self::CodeLength => "code",
            Self::LawIdUnicode | Self::LawIdCharacter | Self::LawIdLength => "law_id",
            Self::Vote => "vote",
        }
    }

    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::NasUnicode | Self::CodeUnicode | Self::LawIdUnicode => "is not valid Unicode",
            Self::NasCharacter => "has a character other than digits, spaces and hyphens",
            Self::NasLength => "must have exactly 9 digits",
            Self::CodeCharacter => "has a character other than A-Z, 0-9, spaces and hyphens",
            Self::CodeLength => "must have 6 to 32 letters and digits",
            Self::LawIdCharacter => "has a character outside A-Z, a-z, 0-9, '.', '_' and '-'",
            Self::LawIdLength => "must have 1 to 50 characters",
            Self::Vote => "must be 'oui' or 'non'",
        }
    }
}

fn is_separator(c: char) -> bool {
    matches!(
        c,
        ' ' | '\t' | '\u{a0}' | '\u{202f}' | '-' | '\u{2010}' | '\u{2011}'
    )
}

/// Writes the 9 digits of `text` into `out`.
pub fn nas(text: &str, out: &mut [u8; NAS_DIGITS]) -> Result<(), Fault> {
    // As it stands in a roll, with nothing to remove: four times as fast.
    if let Ok(digits) = <[u8; NAS_DIGITS]>::try_from(text.as_bytes())
        && digits.iter().all(u8::is_ascii_digit)
    {
        *out = digits;
        return Ok(());
    }
    let mut len = 0;
    for c in text.chars() {
        if c.is_ascii_digit() {
            *out.get_mut(len).ok_or(Fault::NasLength)? = c as u8;
            len += 1;
        } else if !is_separator(c) {
            return Err(Fault::NasCharacter);
        }
    }
    if len == NAS_DIGITS {
        Ok(())
    } else {
        Err(Fault::NasLength)
    }
}

/// Writes the code into `out`, upper-cased, and returns its length.
pub fn code(text: &str, out: &mut [u8; CODE_CHARS_MAX]) -> Result<usize, Fault> {
    let mut len = 0;
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            *out.get_mut(len).ok_or(Fault::CodeLength)? = c.to_ascii_uppercase() as u8;
            len += 1;
        } else if !is_separator(c) {
            return Err(Fault::CodeCharacter);
        }
    }
    if len >= CODE_CHARS_MIN {
        Ok(len)
    } else {
        Err(Fault::CodeLength)
    }
}

/// A law id is taken as it stands, or refused.
pub fn law_id(text: &str) -> Result<&str, Fault> {
    if !text
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    {
        return Err(Fault::LawIdCharacter);
    }
    if (1..=LAW_ID_CHARS_MAX).contains(&text.len()) {
        Ok(text)
    } else {
        Err(Fault::LawIdLength)
    }
}

/// The choice in lower case.
pub fn vote(text: &str) -> Result<&'static str, Fault> {
    ["oui", "non"]
        .into_iter()
        .find(|choice| text.eq_ignore_ascii_case(choice))
        .ok_or(Fault::Vote)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nas_of(text: &str) -> Result<String, Fault> {
        let mut out = [0; NAS_DIGITS];
        nas(text, &mut out).map(|()| String::from_utf8(out.to_vec()).unwrap())
    }

    fn code_of(text: &str) -> Result<String, Fault> {
        let mut out = [0; CODE_CHARS_MAX];
        code(text, &mut out).map(|len| String::from_utf8(out[..len].to_vec()).unwrap())
    }

    #[test]
    fn separators_are_removed() {
        for text in [
            "012345678",
            "012 345-678",
            "\t012\u{a0}345\u{202f}678 ",
            "012\u{2010}345\u{2011}678",
        ] {
            assert_eq!(nas_of(text).as_deref(), Ok("012345678"), "{text:?}");
        }
        assert_eq!(code_of(" abc-1 23\t").as_deref(), Ok("ABC123"));
    }

    #[test]
    fn foreign_characters_are_refused() {
        for text in [
            "٠١٢٣٤٥٦٧٨",
            "０１２３４５６７８",
            "012345678\n",
            "01234567O",
        ] {
            assert_eq!(nas_of(text), Err(Fault::NasCharacter), "{text:?}");
        }
        for text in [
            "ABCDEß",
            "İBCDEF",
            "ıBCDEF",
            "ABCDEſ",
            "ABC123\r",
            "ABC\u{2013}123",
        ] {
            assert_eq!(code_of(text), Err(Fault::CodeCharacter), "{text:?}");
        }
        assert_eq!(law_id("L2025-é"), Err(Fault::LawIdCharacter));
        assert_eq!(law_id(" L1"), Err(Fault::LawIdCharacter));
        assert_eq!(vote("nοn"), Err(Fault::Vote));
    }

    #[test]
    fn lengths_are_exact() {
        assert_eq!(nas_of("01234567"), Err(Fault::NasLength));
        assert_eq!(nas_of("0123456789"), Err(Fault::NasLength));
        assert_eq!(nas_of(""), Err(Fault::NasLength));
        assert_eq!(code_of("ABC12"), Err(Fault::CodeLength));
        assert!(code_of(&"A".repeat(32)).is_ok());
        assert_eq!(code_of(&"A".repeat(33)), Err(Fault::CodeLength));
        assert!(law_id(&"l".repeat(50)).is_ok());
        assert_eq!(law_id(&"l".repeat(51)), Err(Fault::LawIdLength));
        assert_eq!(law_id(""), Err(Fault::LawIdLength));
    }

    #[test]
    fn votes_in_any_case() {
        assert_eq!(vote("OuI"), Ok("oui"));
        assert_eq!(vote("NON"), Ok("non"));
        assert_eq!(vote(""), Err(Fault::Vote));
        assert_eq!(vote("oui "), Err(Fault::Vote));
    }

    proptest! {
        #[test]
        fn whatever_passes_is_canonical(text in "\\PC{0,40}") {
            if let Ok(digits) = nas_of(&text) {
                prop_assert!(digits.bytes().all(|b| b.is_ascii_digit()));
                prop_assert_eq!(nas_of(&digits).unwrap(), digits);
            }
            if let Ok(code) = code_of(&text) {
                prop_assert!(code.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()));
                prop_assert_eq!(code_of(&code).unwrap(), code);
            }
        }
    }
}
