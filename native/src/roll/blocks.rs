//! Cuts a stream into blocks of whole lines.
//!
//! A row is a line: no valid field contains a line break, so a quoted field that runs over a line
//! end makes bad rows of the lines it touches, and blocks can be cut without looking at quotes.

use std::io::{self, Read};

use memchr::{memchr_iter, memrchr};

/// A longer line is a bad row. A valid one needs fewer than 100 bytes besides its separators.
pub const LINE_BYTES_MAX: usize = 1024;

pub struct Block {
    pub bytes: Vec<u8>,
    /// Number of the block's first line in the file, from 1.
    pub first_line: u64,
}

pub struct BlockReader<R> {
    source: R,
    block_bytes: usize,
    carry: Vec<u8>,
    next_line: u64,
    ended: bool,
}

impl<R: Read> BlockReader<R> {
    pub fn new(source: R, block_bytes: usize) -> Self {
        assert!(block_bytes > 0);
        Self {
            source,
            block_bytes,
            carry: Vec::new(),
            next_line: 1,
            ended: false,
        }
    }

    /// The next lines, in `buffer` to spare an allocation, or `None` at the end. Only the last
    /// line of the last block may lack its line end.
    pub fn next_block(&mut self, mut buffer: Vec<u8>) -> io::Result<Option<Block>> {
        buffer.clear();
        buffer.append(&mut self.carry);
        while !self.ended {
            let limit = self.block_bytes as u64;
            let read = self.source.by_ref().take(limit).read_to_end(&mut buffer)?;
            self.ended = read < self.block_bytes;
            if self.ended {
                break;
            }
            let cut = memrchr(b'\n', &buffer).map_or(0, |at| at + 1);
            // What remains of an over-long line is dropped, but for enough to know it by.
            buffer.truncate(buffer.len().min(cut + LINE_BYTES_MAX + 1));
            if cut > 0 {
                self.carry.extend_from_slice(&buffer[cut..]);
                buffer.truncate(cut);
                break;
            }
        }
        if buffer.is_empty() {
            return Ok(None);
        }
        let first_line = self.next_line;
        self.next_line += memchr_iter(b'\n', &buffer).count() as u64;
        Ok(Some(Block {
            bytes: buffer,
            first_line,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn blocks_are_the_file(lines in prop::collection::vec("[a-z]{0,30}", 0..50),
                               end in any::<bool>(), block_bytes in 1_usize..100) {
            let text = lines.join("\n") + if end { "\n" } else { "" };
            let mut reader = BlockReader::new(text.as_bytes(), block_bytes);
            let (mut whole, mut line) = (String::new(), 1);
            while let Some(block) = reader.next_block(Vec::new()).unwrap() {
                prop_assert!(whole.is_empty() || whole.ends_with('\n'));
                prop_assert_eq!(block.first_line, line);
                line += memchr_iter(b'\n', &block.bytes).count() as u64;
                whole += std::str::from_utf8(&block.bytes).unwrap();
            }
            prop_assert_eq!(whole, text);
        }

        #[test]
        fn long_lines_stay_long_but_bounded(len in 1_usize..20_000, block_bytes in 1_usize..3000) {
            let text = format!("a\n{}\nb\n", "x".repeat(len));
            let mut reader = BlockReader::new(text.as_bytes(), block_bytes);
            let mut whole = Vec::new();
            while let Some(block) = reader.next_block(Vec::new()).unwrap() {
                prop_assert!(block.bytes.len() <= LINE_BYTES_MAX + 1 + block_bytes);
                whole.extend(block.bytes);
            }
            let lines: Vec<_> = whole.split(|b| *b == b'\n').collect();
            prop_assert_eq!((lines.len(), lines[0], lines[2]), (4, &b"a"[..], &b"b"[..]));
            prop_assert_eq!(lines[1].len() > LINE_BYTES_MAX, len > LINE_BYTES_MAX);
            prop_assert!(len > LINE_BYTES_MAX || lines[1].len() == len);
        }
    }
}
