//! Sorts the rows of a file and finds those that stand in it twice.

use std::sync::{Mutex, PoisonError};

use super::chunked::Chunked;
use super::electors::{CardKey, Electors, PARTITIONS, Reject};
use super::pipeline::Gathered;
use super::rows::RowFault;
use crate::supervise::{Progress, lock, parallel};

/// Steps that `sort` counts in its progress.
pub const SORT_STEPS: u64 = 2 * PARTITIONS as u64;

impl Gathered {
    /// Sorts, and turns rows with an earlier row's hash into rejects.
    #[must_use]
    pub fn sort(self, threads: usize, progress: &Progress) -> Electors {
        let several_codes = count_several_codes(&self.cards, threads, progress);
        let rejects = Mutex::new(self.rejects);
        let counts = Mutex::new(vec![0_u64; self.laws.len()]);
        let sorted: Result<(), ()> = parallel(threads, PARTITIONS, progress, |number, scratch| {
            let mut partition = lock(&self.records[number]);
            let mut duplicates = Vec::new();
            let mut laws = vec![0_u64; self.laws.len()];
            partition.sort_and_retain(scratch, |record, last| {
                if let Some(first) = last.filter(|last| last.hash == record.hash) {
                    let first_line = first.line();
                    duplicates.push(Reject {
                        line: record.line(),
                        fault: RowFault::Duplicate { first_line },
                    });
                    return false;
                }
                laws[usize::from(record.law())] += 1;
                true
            });
            lock(&rejects).extend(duplicates);
            std::iter::zip(lock(&counts).iter_mut(), laws).for_each(|(sum, more)| *sum += more);
            progress.add(1);
            Ok(())
        });
        sorted.expect("sorting cannot fail");
        let mut rejects = rejects.into_inner().unwrap_or_else(PoisonError::into_inner);
        rejects.sort_unstable_by_key(|reject| reject.line);
        let counts = counts.into_inner().unwrap_or_else(PoisonError::into_inner);
        Electors {
            partitions: self
                .records
                .into_iter()
                .map(|partition| {
                    partition
                        .into_inner()
                        .unwrap_or_else(PoisonError::into_inner)
                })
                .collect(),
            rejects,
            laws: self.laws.into_iter().zip(counts).collect(),
            rows: self.rows,
            unended_line: self.unended_line,
            several_codes,
        }
    }
}

fn count_several_codes(
    cards: &[Mutex<Chunked<CardKey>>],
    threads: usize,
    progress: &Progress,
) -> u64 {
    let total = Mutex::new(0);
    let counted: Result<(), ()> = parallel(threads, PARTITIONS, progress, |number, scratch| {
        // Taken, so that its memory is free before the database is written.
        let mut cards = std::mem::take(&mut *lock(&cards[number]));
        let mut count = 0;
        let mut counted: Option<CardKey> = None;
        cards.sort_and_retain(scratch, |card, last| {
            let other_code =
                last.is_some_and(|last| last != card && last.same_elector_and_law(*card));
            if other_code && !counted.is_some_and(|seen| seen.same_elector_and_law(*card)) {
                counted = Some(*card);
                count += 1;
            }
            true
        });
        *lock(&total) += count;
        progress.add(1);
        Ok(())
    });
    counted.expect("counting cannot fail");
    total.into_inner().unwrap_or_else(PoisonError::into_inner)
}
