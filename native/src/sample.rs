//! Synthetic electors: numbers that begin with 0, which no person was ever issued.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::normalise::NAS_DIGITS;

/// As many as there are numbers beginning with 0.
pub const ELECTORS_MAX: u64 = 100_000_000;
const CODE_CHARS: usize = 8;
/// 32 characters without those that are taken for another: I and 1, O and 0.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
const STEP_CANDIDATES: u64 = 1_000_000;

/// The CSV rows of `count` electors from number `first` on, one for each law. The same for a seed
/// however the electors are cut into calls.
#[must_use]
pub fn rows(seed: u64, first: u64, count: u64, laws: &[String]) -> Vec<u8> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    // An affine map with a step prime to the modulus visits every number once.
    let offset = random.next_u64() % ELECTORS_MAX;
    let step = coprime_step(random.next_u64());
    let mut rows = Vec::new();
    for elector in first..(first + count).min(ELECTORS_MAX) {
        let number = (elector * step + offset) % ELECTORS_MAX;
        random.set_stream(elector + 1);
        random.set_word_pos(0);
        let mut bits = random.next_u64();
        let mut code = [0; CODE_CHARS];
        for char in &mut code {
            *char = ALPHABET[usize::try_from(bits % 32).expect("below 32")];
            bits /= 32;
        }
        let nas = format!("{number:0NAS_DIGITS$}");
        for law in laws {
            for (part, end) in [
                (nas.as_bytes(), b','),
                (&code, b','),
                (law.as_bytes(), b'\n'),
            ] {
                rows.extend(part);
                rows.push(end);
            }
        }
    }
    rows
}

/// An odd number that is no multiple of 5, so prime to 10^8.
fn coprime_step(random: u64) -> u64 {
    let mut step = STEP_CANDIDATES + random % STEP_CANDIDATES;
    while step.is_multiple_of(2) || step.is_multiple_of(5) {
        step += 1;
    }
    step
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    #[test]
    fn numbers_are_unique_and_begin_with_0() {
        let rows = String::from_utf8(rows(7, 0, 50_000, &["L1".to_owned()])).unwrap();
        let numbers: HashSet<_> = rows.lines().map(|row| &row[..9]).collect();
        assert_eq!(numbers.len(), 50_000);
        assert!(numbers.iter().all(|number| number.starts_with('0')));
    }

    proptest! {
        #[test]
        fn every_step_visits_every_number(random in any::<u64>()) {
            let step = coprime_step(random);
            prop_assert!(!step.is_multiple_of(2) && !step.is_multiple_of(5));
            // a small step would give numbers in a row
            prop_assert!((STEP_CANDIDATES..2 * STEP_CANDIDATES + 4).contains(&step));
        }

        #[test]
        fn cutting_changes_nothing(seed in any::<u64>(), cut in 0_u64..40) {
            let laws = ["L1".to_owned(), "L2".to_owned()];
            let two = [rows(seed, 0, cut, &laws), rows(seed, cut, 40 - cut, &laws)].concat();
            prop_assert_eq!(two, rows(seed, 0, 40, &laws));
        }
    }
}
