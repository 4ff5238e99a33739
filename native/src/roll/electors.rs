//! What is kept of the electors while the database is made: 46 bytes each, and the rejects.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io::{self, Write};

use super::chunked::Chunked;
use super::rows::RowFault;
use super::several_codes::SeveralCodes;
use crate::ballot::{Ballot, HASH_BYTES, Hash};

/// Hashes are spread by their first byte, so partitions in order are hashes in order.
pub const PARTITIONS: usize = 256;
/// Bounds the table of laws, and the bits of a law's number in a `CardKey`.
pub const LAWS_MAX: usize = 1 << LAW_BITS;
pub const REJECTS_HEADER: &[u8] = b"line,reason\n";
const LAW_BITS: u32 = 12;
const NAS_BITS: u32 = 30;
const CODE_BITS: u32 = u64::BITS - LAW_BITS - NAS_BITS;

/// A row, ordered by hash, then by line. Bytes only, so that nothing is padded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    pub hash: Hash,
    line_be: [u8; 4],
    law_be: [u8; 2],
}

impl Record {
    #[must_use]
    pub fn new(hash: Hash, line: u32, law: u16) -> Self {
        Self {
            hash,
            line_be: line.to_be_bytes(),
            law_be: law.to_be_bytes(),
        }
    }

    #[must_use]
    pub fn line(&self) -> u32 {
        u32::from_be_bytes(self.line_be)
    }

    #[must_use]
    pub fn law(&self) -> u16 {
        u16::from_be_bytes(self.law_be)
    }

    #[must_use]
    pub fn partition(&self) -> usize {
        usize::from(self.hash[0])
    }

    fn head(&self) -> u64 {
        u64::from_be_bytes(*self.hash.first_chunk().expect("a hash is longer"))
    }
}

impl Ord for Record {
    /// The first eight bytes, as a number, decide all but one pair in 2^64 without a call.
    fn cmp(&self, other: &Self) -> Ordering {
        self.head()
            .cmp(&other.head())
            .then_with(|| self.hash.cmp(&other.hash))
            .then_with(|| self.line_be.cmp(&other.line_be))
            .then_with(|| self.law_be.cmp(&other.law_be))
    }
}

impl PartialOrd for Record {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Law, elector and 22 bits of the hash in place of the code: tells whether an elector has more
/// than one code for a law, missing one such case in four million.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CardKey(u64);

impl CardKey {
    #[must_use]
    pub fn new(law: u16, ballot: &Ballot, hash: &Hash) -> Self {
        let tail = hash[HASH_BYTES - 8..].try_into().expect("eight bytes");
        let code = u64::from_be_bytes(tail) & ((1 << CODE_BITS) - 1);
        let elector = u64::from(ballot.nas_number()) << CODE_BITS;
        Self(u64::from(law) << (NAS_BITS + CODE_BITS) | elector | code)
    }

    #[must_use]
    pub fn elector_and_law(self) -> u64 {
        self.0 >> CODE_BITS
    }

    /// Spreads electors evenly whatever their numbers are (Fibonacci hashing).
    #[must_use]
    pub fn partition(self) -> usize {
        let mixed = self.elector_and_law().wrapping_mul(0x9e37_79b9_7f4a_7c15);
        usize::from(mixed.to_be_bytes()[0])
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reject {
    pub line: u32,
    pub fault: RowFault,
}

/// The electors of a file, sorted, without duplicates.
pub struct Electors {
    pub partitions: Vec<Chunked<Record>>,
    /// In the order of lines.
    pub rejects: Vec<Reject>,
    /// Hashes by law id.
    pub laws: BTreeMap<String, u64>,
    /// Lines after the header, good or bad.
    pub rows: u64,
    /// The last line's number, if it has no line end: then the file may have been cut.
    pub unended_line: Option<u32>,
    pub several_codes: SeveralCodes,
}

impl Electors {
    #[must_use]
    pub fn len(&self) -> usize {
        self.partitions.iter().map(Chunked::len).sum()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The hashes from number `start` on, in order.
    pub fn hashes_from(&self, start: usize) -> impl Iterator<Item = &Hash> {
        let mut skip = start;
        self.partitions
            .iter()
            .flat_map(move |partition| {
                let from = skip.min(partition.len());
                skip -= from;
                partition.slices_from(from)
            })
            .flatten()
            .map(|record| &record.hash)
    }

    /// `line,reason` of every bad row.
    pub fn write_rejects(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(REJECTS_HEADER)?;
        for reject in &self.rejects {
            // Some reasons hold commas and quotation marks, none a double one.
            writeln!(out, "{},\"{}\"", reject.line, reject.fault.reason())?;
        }
        Ok(())
    }
}
