//! The pipeline from bytes to files and back, against a few lines of plain Rust.

use std::collections::BTreeMap;

use _native::ballot::{Ballot, HASH_BYTES, Hash, Hasher};
use _native::roll::pipeline::{FileFault, Options, gather};
use _native::roll::rows::RowFault;
use _native::roll::shard_reader::{self, Expected};
use _native::roll::shard_writer::{self, Format, RollId};
use _native::supervise::Progress;
use proptest::prelude::*;

/// A row by small numbers, so that equal ones come by themselves.
fn row((nas, code): (u32, u32)) -> String {
    format!("{nas:09},CODE{code:04},L{}", nas % 3)
}

fn hash((nas, code): (u32, u32)) -> Hash {
    let fields = (
        format!("{nas:09}"),
        format!("CODE{code:04}"),
        format!("L{}", nas % 3),
    );
    Hasher::plain().hash(&Ballot::new(&fields.0, &fields.1, &fields.2).unwrap())
}

proptest! {
    #[test]
    fn there_and_back(rows in prop::collection::vec((0_u32..40, 0_u32..3), 0..300),
                      block_bytes in 1_usize..500, threads in 1_usize..4,
                      shard_size in 1_usize..50, json in any::<bool>()) {
        let lines: Vec<_> = rows.iter().copied().map(row).collect();
        let csv = format!("nas,code,law_id\n{}\n", lines.join("\n"));
        let mut first_lines = BTreeMap::new();
        let mut duplicates = Vec::new();
        for (number, row) in rows.iter().enumerate() {
            let line = u32::try_from(number).unwrap() + 2;
            let first_line = *first_lines.entry(hash(*row)).or_insert(line);
            if first_line != line {
                duplicates.push((line, RowFault::Duplicate { first_line }));
            }
        }
        if rows.is_empty() {
            duplicates.push((2, RowFault::Blank)); // the join of no line is an empty one
        }

        let (hasher, progress) = (Hasher::plain(), Progress::default());
        let options = Options { threads, block_bytes };
        let gathered = gather(csv.as_bytes(), &hasher, options, &progress).unwrap();
        let electors = gathered.sort(threads, &progress);
        let rejects: Vec<_> = electors.rejects.iter().map(|r| (r.line, r.fault)).collect();
        prop_assert_eq!(rejects, duplicates);
        prop_assert_eq!(electors.len(), first_lines.len());

        let directory = tempfile::tempdir().unwrap();
        let format = if json { Format::Json } else { Format::Binary };
        let written = shard_writer::write(
            &electors, &hasher, directory.path(), format, shard_size, threads, &progress,
        ).map_err(|fault| fault.error).unwrap();
        let mut roll_id = RollId::new(hasher.scheme(), hasher.key_fingerprint());
        let (mut previous, mut raw) = (None, Vec::new());
        for (shard, entry) in written.shards.iter().enumerate() {
            let expected = Expected { format, shard, count: entry.count, sha256: &entry.sha256 };
            shard_reader::read(&directory.path().join(&entry.file), &expected, &mut previous, |hashes| {
                raw.extend_from_slice(hashes);
                roll_id.update(hashes);
            }).map_err(|fault| fault.reason()).unwrap();
        }
        prop_assert_eq!(raw.as_chunks::<HASH_BYTES>().0.to_vec(), first_lines.into_keys().collect::<Vec<_>>());
        prop_assert_eq!(roll_id.hex(), written.roll_id);
    }
}

#[test]
fn a_failing_source_is_an_error() {
    struct Broken;
    impl std::io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("broken"))
        }
    }
    let source = std::io::Read::chain(&b"nas,code,law_id\n012345678,ABC123,L1\n"[..], Broken);
    let options = Options {
        threads: 2,
        block_bytes: 20,
    };
    let outcome = gather(source, &Hasher::plain(), options, &Progress::default());
    assert!(matches!(outcome, Err(FileFault::Io(_))));
}
