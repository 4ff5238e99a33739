//! The electors' CSV, read as a stream: one thread cuts blocks of lines, the others hash them.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read};
use std::sync::{Mutex, PoisonError, RwLock};
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};
use memchr::{memchr, memchr_iter};

use super::blocks::{Block, BlockReader};
use super::chunked::Chunked;
use super::electors::{CardKey, LAWS_MAX, PARTITIONS, Record, Reject};
use super::rows::{self, Columns, HeaderFault, RowFault};
use crate::ballot::{Ballot, Hasher};
use crate::supervise::{Progress, lock};

#[derive(Clone, Copy)]
pub struct Options {
    pub threads: usize,
    pub block_bytes: usize,
}

/// Why the whole file is refused.
#[derive(Debug)]
pub enum FileFault {
    Io(io::Error),
    Header(HeaderFault),
    TooManyLines,
    TooManyLaws,
}

/// The rows of a file as they came.
pub struct Gathered {
    pub(super) records: Vec<Mutex<Chunked<Record>>>,
    pub(super) cards: Vec<Mutex<Chunked<CardKey>>>,
    pub(super) rejects: Vec<Reject>,
    pub(super) laws: Vec<String>,
    pub(super) rows: u64,
    pub(super) unended_line: Option<u32>,
}

/// Reads the whole of `source`; progress counts its bytes. Cancelled, it returns early.
pub fn gather(
    source: impl Read + Send,
    hasher: &Hasher,
    options: Options,
    progress: &Progress,
) -> Result<Gathered, FileFault> {
    let mut reader = BlockReader::new(source, options.block_bytes);
    let (columns, first) = read_header(&mut reader, progress)?;

    let shared = Shared {
        hasher,
        columns,
        laws: RwLock::default(),
        records: partitions(),
        cards: partitions(),
    };
    let (send_full, receive_full) = bounded(options.threads);
    let (send_empty, receive_empty) = bounded(2 * options.threads + 1);
    let mut rejects = Vec::new();
    let mut rows = 0;
    let unended_line = thread::scope(|scope| {
        let workers: Vec<_> = (0..options.threads)
            .map(|_| {
                let (full, empty) = (receive_full.clone(), send_empty.clone());
                let worker = Worker::new(&shared);
                scope.spawn(move || worker.run(&full, &empty, progress))
            })
            .collect();
        drop(receive_full); // once the workers are gone, sending fails and the reader stops
        let read = feed(reader, first, &send_full, &receive_empty, progress);
        drop(send_full);
        for worker in workers {
            match worker.join() {
                Ok(outcome) => {
                    let (bad, count) = outcome?;
                    rejects.extend(bad);
                    rows += count;
                }
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        read
    })?;
    Ok(Gathered {
        records: shared.records,
        cards: shared.cards,
        rejects,
        laws: law_names(shared.laws),
        rows,
        unended_line,
    })
}

/// Reads the first block, and takes the header off it.
pub(super) fn read_header<R: Read>(
    reader: &mut BlockReader<R>,
    progress: &Progress,
) -> Result<(Columns, Block), FileFault> {
    let mut first = reader
        .next_block(Vec::new())
        .map_err(FileFault::Io)?
        .ok_or(FileFault::Header(HeaderFault::Empty))?;
    let header_end = memchr(b'\n', &first.bytes).unwrap_or(first.bytes.len());
    let columns = rows::header(&first.bytes[..header_end]).map_err(FileFault::Header)?;
    let header_bytes = (header_end + 1).min(first.bytes.len());
    first.bytes.drain(..header_bytes);
    progress.add(header_bytes as u64);
    first.first_line += 1;
    Ok((columns, first))
}

fn partitions<T: Copy + Ord>() -> Vec<Mutex<Chunked<T>>> {
    (0..PARTITIONS).map(|_| Mutex::default()).collect()
}

fn law_names(laws: RwLock<HashMap<String, u16>>) -> Vec<String> {
    let numbers = laws.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut names: Vec<_> = numbers.into_iter().collect();
    names.sort_unstable_by_key(|(_, number)| *number);
    names.into_iter().map(|(name, _)| name).collect()
}

/// Hands all blocks over; returns the last line's number if it has no line end.
fn feed<R: Read>(
    mut reader: BlockReader<R>,
    first: Block,
    full: &Sender<Block>,
    empty: &Receiver<Vec<u8>>,
    progress: &Progress,
) -> Result<Option<u32>, FileFault> {
    let mut next = Some(first);
    let mut unended_line = None;
    while let Some(block) = next {
        let last_line = block.first_line + memchr_iter(b'\n', &block.bytes).count() as u64;
        let Ok(last_line) = u32::try_from(last_line) else {
            return Err(FileFault::TooManyLines);
        };
        if !block.bytes.is_empty() && !block.bytes.ends_with(b"\n") {
            unended_line = Some(last_line);
        }
        if progress.is_cancelled() || full.send(block).is_err() {
            break; // a worker that failed says why when it is joined
        }
        let buffer = empty.try_recv().unwrap_or_default();
        next = reader.next_block(buffer).map_err(FileFault::Io)?;
    }
    Ok(unended_line)
}

/// What is wrong with a row: with it alone, or with the file as a whole.
enum Fault {
    Row(RowFault),
    File(FileFault),
}

impl From<RowFault> for Fault {
    fn from(fault: RowFault) -> Self {
        Self::Row(fault)
    }
}

impl From<FileFault> for Fault {
    fn from(fault: FileFault) -> Self {
        Self::File(fault)
    }
}

/// What the workers have in common.
struct Shared<'a> {
    hasher: &'a Hasher,
    columns: Columns,
    laws: RwLock<HashMap<String, u16>>,
    records: Vec<Mutex<Chunked<Record>>>,
    cards: Vec<Mutex<Chunked<CardKey>>>,
}

impl Shared<'_> {
    fn law_number(&self, law_id: &str) -> Result<u16, FileFault> {
        let mut laws = self.laws.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = laws.get(law_id) {
            return Ok(*number);
        }
        if laws.len() == LAWS_MAX {
            return Err(FileFault::TooManyLaws);
        }
        let number = u16::try_from(laws.len()).expect("LAWS_MAX fits");
        laws.insert(law_id.to_owned(), number);
        Ok(number)
    }
}

/// Hashes blocks; stages a block's records by partition, so that a lock is taken once a block.
struct Worker<'a> {
    shared: &'a Shared<'a>,
    /// Those seen. They are few, and found sooner by comparing than by hashing.
    laws: BTreeMap<String, u16>,
    ballot: Ballot,
    records: Vec<Vec<Record>>,
    cards: Vec<Vec<CardKey>>,
    rejects: Vec<Reject>,
    rows: u64,
}

impl<'a> Worker<'a> {
    fn new(shared: &'a Shared<'a>) -> Self {
        Self {
            shared,
            laws: BTreeMap::new(),
            ballot: Ballot::empty(),
            records: vec![Vec::new(); PARTITIONS],
            cards: vec![Vec::new(); PARTITIONS],
            rejects: Vec::new(),
            rows: 0,
        }
    }

    fn run(
        mut self,
        full: &Receiver<Block>,
        empty: &Sender<Vec<u8>>,
        progress: &Progress,
    ) -> Result<(Vec<Reject>, u64), FileFault> {
        for block in full {
            if progress.is_cancelled() {
                break;
            }
            self.block(&block)?;
            progress.add(block.bytes.len() as u64);
            // Nobody takes buffers back once the file was read: then this one is freed.
            drop(empty.try_send(block.bytes));
        }
        Ok((self.rejects, self.rows))
    }

    fn block(&mut self, block: &Block) -> Result<(), FileFault> {
        let mut line = u32::try_from(block.first_line).expect("the reader checked");
        let mut rest = block.bytes.as_slice();
        while !rest.is_empty() {
            let end = memchr(b'\n', rest).unwrap_or(rest.len());
            self.rows += 1;
            match self.row(&rest[..end], line) {
                Ok(()) => {}
                Err(Fault::Row(fault)) => self.rejects.push(Reject { line, fault }),
                Err(Fault::File(fault)) => return Err(fault),
            }
            line = line.wrapping_add(1);
            rest = rest.get(end + 1..).unwrap_or_default();
        }
        store(&mut self.records, &self.shared.records);
        store(&mut self.cards, &self.shared.cards);
        Ok(())
    }

    fn row(&mut self, bytes: &[u8], line: u32) -> Result<(), Fault> {
        let columns = self.shared.columns;
        let fields = rows::split(bytes)?;
        let law_id = fields[columns.law_id];
        self.ballot
            .set(fields[columns.nas], fields[columns.code], law_id)
            .map_err(RowFault::Field)?;
        let law = if let Some(number) = self.laws.get(law_id) {
            *number
        } else {
            let number = self.shared.law_number(law_id)?;
            self.laws.insert(law_id.to_owned(), number);
            number
        };
        let hash = self.shared.hasher.hash(&self.ballot);
        let record = Record::new(hash, line, law);
        let card = CardKey::new(law, &self.ballot, &hash);
        self.records[record.partition()].push(record);
        self.cards[card.partition()].push(card);
        Ok(())
    }
}

fn store<T: Copy + Ord>(staged: &mut [Vec<T>], partitions: &[Mutex<Chunked<T>>]) {
    for (items, partition) in staged.iter_mut().zip(partitions) {
        if !items.is_empty() {
            lock(partition).extend_from_slice(items);
            items.clear();
        }
    }
}
