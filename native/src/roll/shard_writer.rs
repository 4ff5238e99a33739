//! Writes the files of a hash database.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::electors::Electors;
use crate::ballot::Hasher;
use crate::hex;
use crate::supervise::{Progress, parallel};

const BUFFER_BYTES: usize = 64 * 1024;
/// Hashes between two looks at whether to stop.
const STEP_HASHES: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Binary,
}

impl Format {
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "json" => Some(Self::Json),
            "binary" => Some(Self::Binary),
            _ => None,
        }
    }

    #[must_use]
    pub fn file_name(self, shard: usize) -> String {
        match self {
            Self::Json => format!("hash_database-{shard:05}.json"),
            Self::Binary => format!("hash_database-{shard:05}.bin"),
        }
    }

    /// What stands before the first hash.
    #[must_use]
    pub fn head(self, shard: usize, count: usize) -> String {
        match self {
            Self::Json => format!(
                "{{\"format\":\"scrutin-hash-database\",\"version\":1,\
                 \"shard\":{shard},\"count\":{count},\"hashes\":["
            ),
            Self::Binary => String::new(),
        }
    }
}

pub struct Shard {
    pub file: String,
    pub count: usize,
    pub sha256: String,
}

pub struct Written {
    pub shards: Vec<Shard>,
    pub roll_id: String,
}

#[derive(Debug)]
pub struct WriteFault {
    pub path: PathBuf,
    pub error: io::Error,
}

/// Names a roll whatever its file format and shard size: a SHA-256 over the scheme, the key's
/// fingerprint and all hashes in order.
#[derive(Clone)]
pub struct RollId(Sha256);

impl RollId {
    #[must_use]
    pub fn new(scheme: &str, key_fingerprint: &str) -> Self {
        Self(
            Sha256::new()
                .chain_update(scheme)
                .chain_update(key_fingerprint),
        )
    }

    /// Takes in raw hashes.
    pub fn update(&mut self, hashes: &[u8]) {
        self.0.update(hashes);
    }

    #[must_use]
    pub fn hex(&self) -> String {
        hex::encode(&self.0.clone().finalize())
    }
}

/// Writes the shards of `electors` into `directory`, flushed to the disk; progress counts hashes.
/// Cancelled, it returns with files missing.
pub fn write(
    electors: &Electors,
    hasher: &Hasher,
    directory: &Path,
    format: Format,
    shard_size: usize,
    threads: usize,
    progress: &Progress,
) -> Result<Written, WriteFault> {
    let total = electors.len();
    let shards = total.div_ceil(shard_size);
    let written = Mutex::new(Vec::new());
    let roll_id = Mutex::new(String::new());
    // Job 0 is the roll id, which needs all hashes in order; the others are a file each.
    parallel(threads, shards + 1, progress, |job, (): &mut ()| {
        let Some(shard) = job.checked_sub(1) else {
            let mut id = RollId::new(hasher.scheme(), hasher.key_fingerprint());
            electors.hashes_from(0).for_each(|hash| id.update(hash));
            *roll_id.lock().unwrap_or_else(PoisonError::into_inner) = id.hex();
            return Ok(());
        };
        let start = shard * shard_size;
        let count = shard_size.min(total - start);
        let file = format.file_name(shard);
        let path = directory.join(&file);
        match write_shard(electors, start, count, format, shard, &path, progress) {
            Ok(sha256) => {
                let entry = Shard {
                    file,
                    count,
                    sha256,
                };
                written
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push((shard, entry));
                Ok(())
            }
            Err(error) => Err(WriteFault { path, error }),
        }
    })?;
    let mut shards = written.into_inner().unwrap_or_else(PoisonError::into_inner);
    shards.sort_unstable_by_key(|(shard, _)| *shard);
    Ok(Written {
        shards: shards.into_iter().map(|(_, entry)| entry).collect(),
        roll_id: roll_id.into_inner().unwrap_or_else(PoisonError::into_inner),
    })
}

fn write_shard(
    electors: &Electors,
    start: usize,
    count: usize,
    format: Format,
    shard: usize,
    path: &Path,
    progress: &Progress,
) -> io::Result<String> {
    let mut out = HashingFile::create(path)?;
    out.buffer.extend(format.head(shard, count).bytes());
    let mut step = 0;
    for (i, hash) in electors.hashes_from(start).take(count).enumerate() {
        match format {
            Format::Json => {
                out.buffer.extend(if i == 0 { &b"\""[..] } else { b",\"" });
                hex::push(hash, &mut out.buffer);
                out.buffer.push(b'"');
            }
            Format::Binary => out.buffer.extend(hash),
        }
        if out.buffer.len() >= BUFFER_BYTES {
            out.flush()?;
        }
        step += 1;
        if step == STEP_HASHES {
            progress.add(step as u64);
            step = 0;
            if progress.is_cancelled() {
                return Ok(String::new());
            }
        }
    }
    progress.add(step as u64);
    if format == Format::Json {
        out.buffer.extend(b"]}");
    }
    out.finish()
}

/// A file whose SHA-256 is computed while it is written.
struct HashingFile {
    file: File,
    buffer: Vec<u8>,
    sha256: Sha256,
}

impl HashingFile {
    fn create(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: File::create_new(path)?,
            buffer: Vec::with_capacity(BUFFER_BYTES + 128),
            sha256: Sha256::new(),
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sha256.update(&self.buffer);
        self.file.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<String> {
        self.flush()?;
        self.file.sync_all()?;
        Ok(hex::encode(&self.sha256.finalize()))
    }
}
