//! The ballot hash: `nas|code|law_id` under the roll's hash scheme.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::optimization_barrier;

use crate::normalise::{self, CODE_CHARS_MAX, Fault, LAW_ID_CHARS_MAX, NAS_DIGITS};
use crate::padded::{self, BLOCK_BYTES, DIGEST_BYTES, PADDING_BYTES_MIN};

pub const SCHEME_SHA256: &str = "sha256";
pub const SCHEME_HMAC_SHA256: &str = "hmac-sha256";
pub const KEY_BYTES: usize = 32;
pub const HASH_BYTES: usize = DIGEST_BYTES;
const FINGERPRINT_CONTEXT: &[u8] = b"scrutin-key-fingerprint";
const FINGERPRINT_BYTES: usize = 8;
const MESSAGE_BYTES_MAX: usize = NAS_DIGITS + 1 + CODE_CHARS_MAX + 1 + LAW_ID_CHARS_MAX;
const BLOCKS_MAX: usize = (MESSAGE_BYTES_MAX + PADDING_BYTES_MIN).div_ceil(BLOCK_BYTES);

pub type Hash = [u8; HASH_BYTES];

/// A normalised ballot: the message that is hashed, padded, on the stack, wiped when dropped.
///
/// One can take many electors' fields in turn: moving it costs more than filling it.
pub struct Ballot {
    message: [u8; BLOCKS_MAX * BLOCK_BYTES],
    len: usize,
    blocks: usize,
}

impl Ballot {
    #[must_use]
    pub fn empty() -> Self {
        Self {
            message: [0; BLOCKS_MAX * BLOCK_BYTES],
            len: 0,
            blocks: 0,
        }
    }

    pub fn new(nas: &str, code: &str, law_id: &str) -> Result<Self, Fault> {
        let mut ballot = Self::empty();
        ballot.set(nas, code, law_id)?;
        Ok(ballot)
    }

    /// Takes the place of what the ballot held; refused, the message is empty.
    pub fn set(&mut self, nas: &str, code: &str, law_id: &str) -> Result<(), Fault> {
        (self.len, self.blocks) = (0, 0);
        self.message.fill(0);
        let (digits, rest) = self
            .message
            .split_first_chunk_mut::<NAS_DIGITS>()
            .expect("the message holds a NAS");
        normalise::nas(nas, digits)?;
        rest[0] = b'|';
        let chars = rest[1..]
            .first_chunk_mut::<CODE_CHARS_MAX>()
            .expect("the message holds a code");
        let code_len = normalise::code(code, chars)?;
        let law_id = normalise::law_id(law_id)?;
        let law_at = NAS_DIGITS + 1 + code_len + 1;
        self.message[law_at - 1] = b'|';
        self.len = law_at + law_id.len();
        self.message[law_at..self.len].copy_from_slice(law_id.as_bytes());
        self.blocks = padded::pad(&mut self.message, self.len);
        Ok(())
    }

    /// `nas|code|law_id`, normalised.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.message[..self.len]
    }

    fn padded(&self) -> &[[u8; BLOCK_BYTES]] {
        &self.message.as_chunks().0[..self.blocks]
    }

    /// The NAS as a number below 10^9.
    #[must_use]
    pub fn nas_number(&self) -> u32 {
        self.message[..NAS_DIGITS]
            .iter()
            .fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
    }
}

impl Drop for Ballot {
    fn drop(&mut self) {
        // In place of volatile writes, which would be made byte by byte.
        self.message.fill(0);
        optimization_barrier(&self.message);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemeError {
    UnknownScheme,
    KeyNotWanted,
    KeyMissing,
    KeyLength,
}

impl SchemeError {
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::UnknownScheme => "the hash scheme must be 'sha256' or 'hmac-sha256'",
            Self::KeyNotWanted => "the scheme sha256 takes no key",
            Self::KeyMissing => "the scheme hmac-sha256 needs a key",
            Self::KeyLength => "the key must be exactly 32 bytes",
        }
    }
}

#[derive(Clone)]
enum Scheme {
    Sha256,
    /// The state after the key was absorbed: a hash costs no key schedule, and the key itself is
    /// not kept. The state wipes itself when dropped.
    HmacSha256(Box<Hmac<Sha256>>),
}

#[derive(Clone)]
pub struct Hasher {
    scheme: Scheme,
    key_fingerprint: String,
}

impl Hasher {
    /// The scheme `sha256`.
    #[must_use]
    pub fn plain() -> Self {
        Self {
            scheme: Scheme::Sha256,
            key_fingerprint: String::new(),
        }
    }

    pub fn new(scheme: &str, key: Option<&[u8]>) -> Result<Self, SchemeError> {
        match (scheme, key) {
            (SCHEME_SHA256, None) => Ok(Self::plain()),
            (SCHEME_SHA256, Some(_)) => Err(SchemeError::KeyNotWanted),
            (SCHEME_HMAC_SHA256, None) => Err(SchemeError::KeyMissing),
            (SCHEME_HMAC_SHA256, Some(key)) if key.len() != KEY_BYTES => {
                Err(SchemeError::KeyLength)
            }
            (SCHEME_HMAC_SHA256, Some(key)) => Ok(Self {
                scheme: Scheme::HmacSha256(Box::new(
                    Hmac::new_from_slice(key).expect("HMAC takes a key of any length"),
                )),
                key_fingerprint: fingerprint(key),
            }),
            _ => Err(SchemeError::UnknownScheme),
        }
    }

    #[must_use]
    pub fn scheme(&self) -> &'static str {
        match self.scheme {
            Scheme::Sha256 => SCHEME_SHA256,
            Scheme::HmacSha256(_) => SCHEME_HMAC_SHA256,
        }
    }

    /// Empty for `sha256`, else 16 hex digits that name the key without giving it away.
    #[must_use]
    pub fn key_fingerprint(&self) -> &str {
        &self.key_fingerprint
    }

    /// The hash of a normalised ballot. Allocates nothing; panics at a ballot that was refused.
    #[must_use]
    pub fn hash(&self, ballot: &Ballot) -> Hash {
        assert!(ballot.len > 0, "there is no ballot to hash");
        match &self.scheme {
            Scheme::Sha256 => padded::sha256(ballot.padded()),
            Scheme::HmacSha256(keyed) => {
                let mut mac = Hmac::clone(keyed);
                mac.update(ballot.message());
                mac.finalize().into_bytes().into()
            }
        }
    }
}

fn fingerprint(key: &[u8]) -> String {
    let digest = Sha256::new()
        .chain_update(FINGERPRINT_CONTEXT)
        .chain_update(key)
        .finalize();
    crate::hex::encode(&digest[..FINGERPRINT_BYTES])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_fixed_vector() {
        let ballot = Ballot::new("123 456 789", "abc-123", "L2025-001").unwrap();
        assert_eq!(ballot.message(), b"123456789|ABC123|L2025-001");
        assert_eq!(ballot.nas_number(), 123_456_789);
        let hash = Hasher::new(SCHEME_SHA256, None).unwrap().hash(&ballot);
        assert_eq!(hash[..], Sha256::digest(b"123456789|ABC123|L2025-001")[..]);
    }

    #[test]
    fn the_longest_message_fits() {
        let (code, law_id) = ("Z".repeat(32), "y".repeat(50));
        let ballot = Ballot::new("000000009", &code, &law_id).unwrap();
        assert_eq!(
            ballot.message(),
            format!("000000009|{code}|{law_id}").as_bytes()
        );
    }

    #[test]
    fn a_ballot_holds_the_last_electors_fields_alone() {
        let mut ballot = Ballot::new("123456789", &"Z".repeat(32), &"y".repeat(50)).unwrap();
        ballot.set("012345678", "ABC123", "L1").unwrap();
        assert_eq!(ballot.message(), b"012345678|ABC123|L1");
        assert_eq!(ballot.set("012345678", "ABC", "L1"), Err(Fault::CodeLength));
        assert_eq!(ballot.message(), b"");
    }

    #[test]
    #[should_panic = "no ballot to hash"]
    fn a_refused_ballot_has_no_hash() {
        let mut ballot = Ballot::new("123456789", "ABC123", "L1").unwrap();
        ballot.set("123456789", "ABC", "L1").unwrap_err();
        let _ = Hasher::plain().hash(&ballot);
    }

    #[test]
    fn schemes_and_keys_must_agree() {
        let refused = |scheme, key: Option<&[u8]>| Hasher::new(scheme, key).err();
        assert_eq!(refused("md5", None), Some(SchemeError::UnknownScheme));
        assert_eq!(
            refused("sha256", Some(&[0; 32])),
            Some(SchemeError::KeyNotWanted)
        );
        assert_eq!(refused("hmac-sha256", None), Some(SchemeError::KeyMissing));
        assert_eq!(
            refused("hmac-sha256", Some(&[0; 31])),
            Some(SchemeError::KeyLength)
        );
    }

    proptest! {
        /// HMAC spelt out from its definition (RFC 2104), with SHA-256's 64-byte block.
        #[test]
        fn hmac_by_definition(key in any::<[u8; 32]>(), nas in "[0-9]{9}", code in "[A-Z0-9]{6,32}",
                              law_id in "[A-Za-z0-9._-]{1,50}") {
            let pad = |byte: u8| {
                let mut block = [byte; 64];
                block.iter_mut().zip(key).for_each(|(b, k)| *b ^= k);
                block
            };
            let inner = Sha256::new().chain_update(pad(0x36))
                .chain_update(format!("{nas}|{code}|{law_id}")).finalize();
            let outer = Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize();
            let hasher = Hasher::new(SCHEME_HMAC_SHA256, Some(&key)).unwrap();
            let hash = hasher.hash(&Ballot::new(&nas, &code, &law_id).unwrap());
            prop_assert_eq!(&hash[..], &outer[..]);
        }
    }
}
