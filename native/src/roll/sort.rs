//! Sorts the rows of a file and finds those that stand in it twice.

use std::sync::{Mutex, PoisonError};

use super::electors::{Electors, PARTITIONS, Reject};
use super::pipeline::Gathered;
use super::rows::RowFault;
use super::several_codes::SeveralCodes;
use crate::supervise::{Progress, lock, parallel};

/// Steps that `sort` counts in its progress.
pub const SORT_STEPS: u64 = 2 * PARTITIONS as u64;

impl Gathered {
    /// Sorts, and turns rows with an earlier row's hash into rejects.
    #[must_use]
    pub fn sort(self, threads: usize, progress: &Progress) -> Electors {
        let several_codes = SeveralCodes::find(&self.cards, &self.laws, threads, progress);
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
            let mut rejects = lock(&rejects);
            if duplicates.len() > rejects.len() {
                std::mem::swap(&mut *rejects, &mut duplicates); // the shorter list is copied
            }
            rejects.append(&mut duplicates);
            drop(rejects);
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
