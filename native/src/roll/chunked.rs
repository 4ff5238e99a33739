//! A list that grows by small steps and sorts in place.
//!
//! A `Vec` doubles: 256 of them would hold up to twice the roll, and free space between them could
//! not be used again. Here nothing is ever copied to grow and at most one chunk is half empty.

const CHUNK_LEN: usize = 512;
/// A longer list is moved where it is sorted. So long is one of rows that are all the same; there
/// a copy would double what the file needs.
const COPIED_LEN_MAX: usize = 512 * 1024;

pub struct Chunked<T> {
    /// All full but the last.
    chunks: Vec<Vec<T>>,
    len: usize,
}

impl<T> Default for Chunked<T> {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            len: 0,
        }
    }
}

impl<T: Copy + Ord> Chunked<T> {
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn extend_from_slice(&mut self, mut items: &[T]) {
        self.len += items.len();
        while !items.is_empty() {
            match self.chunks.last_mut().filter(|last| last.len() < CHUNK_LEN) {
                Some(last) => {
                    let (now, later) = items.split_at(items.len().min(CHUNK_LEN - last.len()));
                    last.extend_from_slice(now);
                    items = later;
                }
                None => self.chunks.push(Vec::with_capacity(CHUNK_LEN)),
            }
        }
    }

    /// The items from number `start` on, as slices.
    pub fn slices_from(&self, start: usize) -> impl Iterator<Item = &[T]> {
        let (first, skip) = (start / CHUNK_LEN, start % CHUNK_LEN);
        self.chunks
            .get(first..)
            .unwrap_or_default()
            .iter()
            .enumerate()
            .map(move |(i, chunk)| &chunk[if i == 0 { skip } else { 0 }..])
    }

    /// Sorts, with `scratch` as long as the list for the time being, and keeps the items for which
    /// `keep(item, last item kept)` is true.
    pub fn sort_and_retain(
        &mut self,
        scratch: &mut Vec<T>,
        mut keep: impl FnMut(&T, Option<&T>) -> bool,
    ) {
        scratch.clear();
        scratch.reserve_exact(self.len);
        if self.len > COPIED_LEN_MAX {
            while let Some(chunk) = self.chunks.pop() {
                scratch.extend_from_slice(&chunk);
            }
        }
        for chunk in &self.chunks {
            scratch.extend_from_slice(chunk);
        }
        scratch.sort_unstable();
        let mut last = None;
        scratch.retain(|item| {
            let kept = keep(item, last.as_ref());
            if kept {
                last = Some(*item);
            }
            kept
        });
        self.len = scratch.len();
        let chunks = self.len.div_ceil(CHUNK_LEN);
        self.chunks
            .resize_with(chunks, || Vec::with_capacity(CHUNK_LEN));
        for (chunk, sorted) in self.chunks.iter_mut().zip(scratch.chunks(CHUNK_LEN)) {
            chunk.clear();
            chunk.extend_from_slice(sorted);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_long_list_is_moved_and_whole() {
        let items: Vec<u32> = (0..=u32::try_from(COPIED_LEN_MAX).unwrap()).rev().collect();
        let mut list = Chunked::default();
        list.extend_from_slice(&items);
        list.sort_and_retain(&mut Vec::new(), |item, _| item % 3 == 0);
        let kept: Vec<u32> = list.slices_from(0).flatten().copied().collect();
        assert!(
            kept.iter()
                .copied()
                .eq((0..list.len()).map(|n| 3 * u32::try_from(n).unwrap()))
        );
        assert_eq!(list.len(), items.len().div_ceil(3));
    }

    proptest! {
        #[test]
        fn like_a_vec(pieces in prop::collection::vec(prop::collection::vec(0_u16..2000, 0..900), 0..6),
                      start in 0_usize..4000) {
            let mut list = Chunked::default();
            for piece in &pieces {
                list.extend_from_slice(piece);
            }
            let mut expected = pieces.concat();
            prop_assert_eq!(list.slices_from(0).flatten().copied().collect::<Vec<_>>(), expected.clone());
            expected.sort_unstable();
            expected.dedup();
            list.sort_and_retain(&mut Vec::new(), |item, last| Some(item) != last);
            prop_assert_eq!(list.len(), expected.len());
            let start = start.min(expected.len());
            prop_assert_eq!(list.slices_from(start).flatten().copied().collect::<Vec<_>>(), &expected[start..]);
        }
    }
}
