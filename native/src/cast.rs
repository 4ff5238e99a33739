//! The call that casts a ballot, as the bytes that go to Redis.
//!
//! Keys and arguments are those of `shards/lua/cast.lua`, where an elector lies those of
//! `shards/keys.py`. The format is RESP: <https://valkey.io/topics/protocol/>.

use std::io::Write;

use crate::ballot::HASH_BYTES;

pub const FIELD_BYTES: usize = 12;
pub const REQUEST_ID_BYTES: usize = 16;
/// What a call takes with the longest of law ids.
const CALL_BYTES: usize = 384;

/// What all calls on one roll have in common, ready to be sent.
pub struct CastCall {
    head: Vec<u8>,
    roll_id: Vec<u8>,
    buckets_per_shard: u32,
}

impl CastCall {
    #[must_use]
    pub fn new(function: &[u8], roll_id: &[u8], buckets_per_shard: u32) -> Self {
        let mut head = b"*13\r\n".to_vec();
        for argument in [b"FCALL", function, b"4"] {
            push(&[argument], &mut head);
        }
        let mut packed_roll_id = Vec::new();
        push(&[roll_id], &mut packed_roll_id);
        Self {
            head,
            roll_id: packed_roll_id,
            buckets_per_shard,
        }
    }

    #[must_use]
    pub fn pack(
        &self,
        ballot_hash: &[u8; HASH_BYTES],
        law_id: &[u8],
        choice: &[u8],
        request_id: &[u8; REQUEST_ID_BYTES],
    ) -> Vec<u8> {
        let tag = format!("{{{:02x}}}", ballot_hash[0]);
        let bucket = format!("{tag}:b:{}", self.bucket_of(ballot_hash));
        let tag = tag.as_bytes();
        let field = &ballot_hash[1..=FIELD_BYTES];
        let mut call = Vec::with_capacity(CALL_BYTES);
        call.extend_from_slice(&self.head);
        push(&[bucket.as_bytes()], &mut call);
        push(&[tag, b":out"], &mut call);
        push(&[tag, b":meta"], &mut call);
        push(&[tag, b":r:", field], &mut call);
        call.extend_from_slice(&self.roll_id);
        for argument in [field, ballot_hash, law_id, choice, request_id] {
            push(&[argument], &mut call);
        }
        call
    }

    /// A shard's range is cut into equal parts, in hash order.
    fn bucket_of(&self, ballot_hash: &[u8; HASH_BYTES]) -> u64 {
        let [_, a, b, c, d, ..] = *ballot_hash;
        (u64::from(u32::from_be_bytes([a, b, c, d])) * u64::from(self.buckets_per_shard)) >> 32
    }
}

/// Appends the bulk string that `parts` make together.
fn push(parts: &[&[u8]], out: &mut Vec<u8>) {
    let size_bytes: usize = parts.iter().map(|part| part.len()).sum();
    write!(out, "${size_bytes}\r\n").expect("memory takes what is written");
    for part in parts {
        out.extend_from_slice(part);
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a command as a server does.
    fn arguments(mut call: &[u8]) -> Vec<&[u8]> {
        let line = |call: &mut &[u8], mark: u8| -> usize {
            let end = call
                .windows(2)
                .position(|pair| pair == b"\r\n")
                .expect("a line");
            let (number, rest) = (&call[..end], &call[end + 2..]);
            assert_eq!(number[0], mark);
            *call = rest;
            std::str::from_utf8(&number[1..])
                .expect("ASCII")
                .parse()
                .expect("a number")
        };
        let count = line(&mut call, b'*');
        let mut found = Vec::new();
        for _ in 0..count {
            let size_bytes = line(&mut call, b'$');
            found.push(&call[..size_bytes]);
            assert_eq!(&call[size_bytes..size_bytes + 2], b"\r\n");
            call = &call[size_bytes + 2..];
        }
        assert!(call.is_empty());
        found
    }

    #[test]
    fn reads_as_keys_and_arguments() {
        let mut ballot_hash = [0x0d; HASH_BYTES]; // a return in it must not end anything
        ballot_hash[..5].copy_from_slice(&[0xa7, 0x80, 0, 0, 0]);
        let call = CastCall::new(b"scrutin_cast_0", b"roll", 600);
        let packed = call.pack(
            &ballot_hash,
            b"L2025-001",
            b"oui",
            &[0x0a; REQUEST_ID_BYTES],
        );
        let field = &ballot_hash[1..13];
        let expected: [&[u8]; 13] = [
            b"FCALL",
            b"scrutin_cast_0",
            b"4",
            b"{a7}:b:300",
            b"{a7}:out",
            b"{a7}:meta",
            &[b"{a7}:r:", field].concat(),
            b"roll",
            field,
            &ballot_hash,
            b"L2025-001",
            b"oui",
            &[0x0a; REQUEST_ID_BYTES],
        ];
        assert_eq!(arguments(&packed), expected);
    }

    #[test]
    fn every_bucket_is_one_of_the_shard() {
        for (hash, bucket) in [
            ([0xff; HASH_BYTES], u64::from(u32::MAX) - 1),
            ([0; HASH_BYTES], 0),
        ] {
            assert_eq!(CastCall::new(b"f", b"r", u32::MAX).bucket_of(&hash), bucket);
        }
    }
}
