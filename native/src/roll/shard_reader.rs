//! Reads the files of a hash database back, and believes nothing.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::shard_writer::Format;
use crate::ballot::{HASH_BYTES, Hash};
use crate::hex;

/// `"`, 64 digits, `"` and the comma or bracket that follows.
const JSON_ENTRY_BYTES: usize = 2 * HASH_BYTES + 3;
const JSON_TAIL: &[u8; 1] = b"}";
const STEP_HASHES: usize = 4096;

/// What the manifest says of a file.
pub struct Expected<'a> {
    pub format: Format,
    pub shard: usize,
    pub count: usize,
    pub sha256: &'a str,
}

#[derive(Debug)]
pub enum ShardFault {
    Io(io::Error),
    Size { actual: u64, expected: u64 },
    Head,
    Tail,
    Entry { number: usize },
    Order { number: usize },
    Checksum,
}

impl ShardFault {
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Io(error) => format!("cannot be read: {error}"),
            Self::Size { actual, expected } => {
                format!("has {actual} bytes where the manifest's count makes {expected}")
            }
            Self::Head => "begins otherwise than a shard of this number and count".to_owned(),
            Self::Tail => "does not end as a shard".to_owned(),
            Self::Entry { number } => format!("hash {number} is not written as 64 hex digits"),
            Self::Order { number } => format!("hash {number} is not above the one before it"),
            Self::Checksum => "its SHA-256 is not the manifest's".to_owned(),
        }
    }
}

/// Reads a shard and gives its raw hashes, a few thousand at a time, to `sink`. `previous` is the
/// last hash of the shard before and becomes that of this one.
pub fn read(
    path: &Path,
    expected: &Expected<'_>,
    previous: &mut Option<Hash>,
    mut sink: impl FnMut(&[u8]),
) -> Result<(), ShardFault> {
    check_size(path, expected)?;
    let mut file = File::open(path).map_err(ShardFault::Io)?;
    let head = expected.format.head(expected.shard, expected.count);
    let mut sha256 = Sha256::new();
    let mut take = |buffer: &mut [u8]| {
        file.read_exact(buffer).map_err(ShardFault::Io)?;
        sha256.update(&*buffer);
        Ok(())
    };

    let mut buffer = vec![0; head.len()];
    take(&mut buffer)?;
    if buffer != head.as_bytes() {
        return Err(ShardFault::Head);
    }
    let mut hashes = vec![0; STEP_HASHES.min(expected.count) * HASH_BYTES];
    let mut done = 0;
    while done < expected.count {
        let step = STEP_HASHES.min(expected.count - done);
        let hashes = &mut hashes[..step * HASH_BYTES];
        match expected.format {
            Format::Binary => take(hashes)?,
            Format::Json => {
                buffer.resize(step * JSON_ENTRY_BYTES, 0);
                take(&mut buffer)?;
                decode(&buffer, hashes, expected.count - done)
                    .map_err(|at| ShardFault::Entry { number: done + at })?;
            }
        }
        for (at, hash) in hashes.as_chunks::<HASH_BYTES>().0.iter().enumerate() {
            if previous.is_some_and(|previous| previous >= *hash) {
                return Err(ShardFault::Order { number: done + at });
            }
            *previous = Some(*hash);
        }
        sink(hashes);
        done += step;
    }
    if expected.format == Format::Json {
        let mut end = [0; JSON_TAIL.len()];
        take(&mut end)?;
        if end != *JSON_TAIL {
            return Err(ShardFault::Tail);
        }
    }
    if hex::encode(&sha256.finalize()) == expected.sha256 {
        Ok(())
    } else {
        Err(ShardFault::Checksum)
    }
}

/// A file has the size that its count makes.
pub fn check_size(path: &Path, expected: &Expected<'_>) -> Result<(), ShardFault> {
    let actual = fs::metadata(path).map_err(ShardFault::Io)?.len();
    let (entry_bytes, tail) = match expected.format {
        Format::Json => (JSON_ENTRY_BYTES, JSON_TAIL.len()),
        Format::Binary => (HASH_BYTES, 0),
    };
    let head = expected.format.head(expected.shard, expected.count);
    let size = (expected.count as u64)
        .saturating_mul(entry_bytes as u64)
        .saturating_add((head.len() + tail) as u64);
    if actual == size {
        Ok(())
    } else {
        Err(ShardFault::Size {
            actual,
            expected: size,
        })
    }
}

/// Decodes JSON entries; `left` counts those from the first to the end of the file, whose last is
/// followed by a bracket. Returns the number of a bad one.
fn decode(entries: &[u8], hashes: &mut [u8], left: usize) -> Result<(), usize> {
    let entries = entries.as_chunks::<JSON_ENTRY_BYTES>().0;
    let hashes = hashes.as_chunks_mut::<HASH_BYTES>().0;
    for (at, (entry, hash)) in entries.iter().zip(hashes).enumerate() {
        let [b'"', digits @ .., b'"', next] = entry else {
            return Err(at);
        };
        let wanted = if at + 1 == left { b']' } else { b',' };
        if *next != wanted || !hex::decode(digits, hash) {
            return Err(at);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNT: usize = 2 * STEP_HASHES + 3;
    const SHARD: usize = 7;
    const FORMATS: [Format; 2] = [Format::Json, Format::Binary];

    /// A shard's hashes in order.
    fn hashes() -> Vec<Hash> {
        let hash = |number: u64| {
            let mut hash = [7; HASH_BYTES];
            hash[HASH_BYTES - 8..].copy_from_slice(&number.to_be_bytes());
            hash
        };
        (0..COUNT as u64).map(hash).collect()
    }

    fn file_of(format: Format, hashes: &[Hash]) -> Vec<u8> {
        match format {
            Format::Binary => hashes.concat(),
            Format::Json => {
                let entries: Vec<_> = hashes
                    .iter()
                    .map(|hash| format!("\"{}\"", hex::encode(hash)))
                    .collect();
                let head = format.head(SHARD, COUNT);
                format!("{head}{}]}}", entries.join(",")).into_bytes()
            }
        }
    }

    fn read_back(format: Format, file: &[u8]) -> Result<Vec<u8>, ShardFault> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("shard");
        fs::write(&path, file).unwrap();
        let expected = Expected {
            format,
            shard: SHARD,
            count: COUNT,
            sha256: &hex::encode(&Sha256::digest(file)),
        };
        let mut raw = Vec::new();
        read(&path, &expected, &mut None, |hashes| {
            raw.extend_from_slice(hashes);
        })?;
        Ok(raw)
    }

    #[test]
    fn a_file_of_several_steps_is_read_whole() {
        let hashes = hashes();
        for format in FORMATS {
            let raw = read_back(format, &file_of(format, &hashes)).unwrap();
            assert!(raw == hashes.concat());
        }
    }

    #[test]
    fn what_is_wrong_is_told_by_its_number_in_the_file() {
        let wrong = STEP_HASHES + 5;
        let mut hashes = hashes();
        let mut file = file_of(Format::Json, &hashes);
        file[Format::Json.head(SHARD, COUNT).len() + wrong * JSON_ENTRY_BYTES + 1] = b'G';
        let fault = read_back(Format::Json, &file).unwrap_err();
        assert!(matches!(fault, ShardFault::Entry { number } if number == wrong));

        hashes.swap(wrong - 1, wrong);
        for format in FORMATS {
            let fault = read_back(format, &file_of(format, &hashes)).unwrap_err();
            assert!(matches!(fault, ShardFault::Order { number } if number == wrong));
        }
    }
}
