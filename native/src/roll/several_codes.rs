//! Electors with more than one code for a law, and so more than one vote.
//!
//! They are few, if any. To know their lines at once, a line would have to be kept of every row;
//! the file is read again instead.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::{Mutex, PoisonError};

use memchr::memchr;

use super::blocks::{Block, BlockReader};
use super::chunked::Chunked;
use super::electors::{CardKey, Electors, PARTITIONS, Reject};
use super::pipeline::{FileFault, read_header};
use super::rows::{self, Columns, RowFault};
use crate::ballot::{Ballot, HASH_BYTES, Hasher};
use crate::supervise::{Progress, lock, parallel};

/// Pairs of elector and law that stand in the file with several codes.
pub struct SeveralCodes {
    /// As in `CardKey::elector_and_law`, sorted.
    pairs: Vec<u64>,
    /// The laws' numbers in these.
    laws: BTreeMap<String, u16>,
}

impl SeveralCodes {
    pub(super) fn find(
        cards: &[Mutex<Chunked<CardKey>>],
        laws: &[String],
        threads: usize,
        progress: &Progress,
    ) -> Self {
        let pairs = Mutex::new(Vec::new());
        let found: Result<(), ()> = parallel(threads, PARTITIONS, progress, |number, scratch| {
            // Taken, so that its memory is free before the database is written.
            let mut cards = std::mem::take(&mut *lock(&cards[number]));
            let mut several = Vec::new();
            let mut last: Option<CardKey> = None;
            cards.sort_and_retain(scratch, |card, _| {
                let pair = card.elector_and_law();
                let other_code =
                    last.is_some_and(|last| last != *card && last.elector_and_law() == pair);
                if other_code && several.last() != Some(&pair) {
                    several.push(pair);
                }
                last = Some(*card);
                false // they were looked at in their order, and are not needed any more
            });
            lock(&pairs).extend(several);
            progress.add(1);
            Ok(())
        });
        found.expect("counting cannot fail");
        let mut pairs = pairs.into_inner().unwrap_or_else(PoisonError::into_inner);
        pairs.sort_unstable();
        Self {
            pairs,
            laws: laws.iter().cloned().zip(0..).collect(),
        }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The card of a row and its line, if the row is good and of one of the pairs.
    fn card(
        &self,
        bytes: &[u8],
        columns: Columns,
        hasher: &Hasher,
        ballot: &mut Ballot,
    ) -> Option<CardKey> {
        let fields = rows::split(bytes).ok()?;
        let law_id = fields[columns.law_id];
        ballot
            .set(fields[columns.nas], fields[columns.code], law_id)
            .ok()?;
        let law = *self.laws.get(law_id)?;
        let pair = CardKey::new(law, ballot, &[0; HASH_BYTES]).elector_and_law();
        self.pairs.binary_search(&pair).ok()?;
        Some(CardKey::new(law, ballot, &hasher.hash(ballot)))
    }
}

impl Electors {
    /// Reads the file again and makes rejects of the rows with another code than the elector's
    /// first row for the law. The hashes are let go, to make room: with such rows no database is
    /// made. Cancelled, it returns early.
    pub fn reject_other_codes(
        &mut self,
        source: impl Read,
        hasher: &Hasher,
        block_bytes: usize,
        progress: &Progress,
    ) -> Result<(), FileFault> {
        self.partitions.clear();
        let mut reader = BlockReader::new(source, block_bytes);
        let (columns, first) = read_header(&mut reader, progress)?;
        let mut ballot = Ballot::empty();
        let mut cards = Vec::new();
        let mut next = Some(first);
        while let Some(Block { bytes, first_line }) = next.filter(|_| !progress.is_cancelled()) {
            let mut line = u32::try_from(first_line).map_err(|_| FileFault::TooManyLines)?;
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let end = memchr(b'\n', rest).unwrap_or(rest.len());
                let card = self
                    .several_codes
                    .card(&rest[..end], columns, hasher, &mut ballot);
                cards.extend(card.map(|card| (card, line)));
                line = line.wrapping_add(1);
                rest = rest.get(end + 1..).unwrap_or_default();
            }
            progress.add(bytes.len() as u64);
            next = reader.next_block(bytes).map_err(FileFault::Io)?;
        }
        self.rejects.extend(other_codes(cards));
        self.rejects.sort_unstable_by_key(|reject| reject.line);
        Ok(())
    }
}

/// The rows but the first of each elector and law. Those that repeat a code are rejects already.
fn other_codes(mut cards: Vec<(CardKey, u32)>) -> impl Iterator<Item = Reject> {
    cards.sort_unstable();
    cards.dedup_by_key(|(card, _)| *card);
    cards.sort_unstable_by_key(|(card, line)| (card.elector_and_law(), *line));
    let mut first = None;
    cards.into_iter().filter_map(move |(card, line)| {
        let pair = card.elector_and_law();
        match first {
            Some((same, first_line)) if same == pair => Some(Reject {
                line,
                fault: RowFault::AnotherCode { first_line },
            }),
            _ => {
                first = Some((pair, line));
                None
            }
        }
    })
}
