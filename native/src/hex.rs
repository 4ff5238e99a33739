//! Lower-case hexadecimal, and only that.

const DIGITS: &[u8; 16] = b"0123456789abcdef";
const INVALID: u8 = 0xff;
const VALUES: [u8; 256] = {
    let mut values = [INVALID; 256];
    let mut value = 0;
    while value < 16 {
        values[DIGITS[value as usize] as usize] = value;
        value += 1;
    }
    values
};

#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut text = Vec::with_capacity(bytes.len() * 2);
    push(bytes, &mut text);
    String::from_utf8(text).expect("hexadecimal is ASCII")
}

/// Appends the digits of `bytes` to `out`.
pub fn push(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend(
        bytes
            .iter()
            .flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]),
    );
}

/// Decodes `digits` into `out`, twice as short; `false` if a character is no lower-case digit.
#[must_use]
pub fn decode(digits: &[u8], out: &mut [u8]) -> bool {
    debug_assert_eq!(digits.len(), out.len() * 2);
    let mut seen = 0;
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        let (high, low) = (VALUES[usize::from(pair[0])], VALUES[usize::from(pair[1])]);
        seen |= high | low;
        *byte = high << 4 | low & 15;
    }
    seen < 16
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn there_and_back(bytes in any::<[u8; 32]>()) {
            let mut back = [0; 32];
            prop_assert!(decode(encode(&bytes).as_bytes(), &mut back));
            prop_assert_eq!(back, bytes);
        }

        #[test]
        fn nothing_else_decodes(text in any::<[u8; 2]>()) {
            let mut out = [0; 1];
            let valid = text.iter().all(|b| DIGITS.contains(b));
            prop_assert_eq!(decode(&text, &mut out), valid);
        }
    }
}
