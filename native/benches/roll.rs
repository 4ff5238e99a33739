//! `cargo bench`: from an electors' CSV to a hash database and back, kernel by kernel.

use std::hint::black_box;
use std::time::Duration;

use _native::ballot::{HASH_BYTES, Hasher};
use _native::roll::blocks::BlockReader;
use _native::roll::chunked::Chunked;
use _native::roll::electors::{Electors, Record};
use _native::roll::pipeline::{Gathered, Options, gather};
use _native::roll::rows;
use _native::roll::shard_reader::{self, Expected};
use _native::roll::shard_writer::{self, Format, RollId};
use _native::sample;
use _native::supervise::{Progress, parallel};
use criterion::{BatchSize, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};

const ELECTORS: u64 = 100_000;
const LAW_ID: &str = "L2025-001";
const BLOCK_BYTES: usize = 512 * 1024;
const PARTITION: usize = 4_096;
const JOBS: usize = 256;
const FORMATS: [(&str, Format); 2] = [("JSON", Format::Json), ("binary", Format::Binary)];

fn csv() -> Vec<u8> {
    let mut csv = b"nas,code,law_id\n".to_vec();
    csv.extend(sample::rows(1, 0, ELECTORS, &[LAW_ID.to_owned()]));
    csv
}

fn gathered(csv: &[u8], threads: usize) -> Gathered {
    let options = Options {
        threads,
        block_bytes: BLOCK_BYTES,
    };
    gather(csv, &Hasher::plain(), options, &Progress::default()).expect("a good file")
}

fn electors() -> Electors {
    gathered(&csv(), 1).sort(1, &Progress::default())
}

fn samples(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sample");
    let laws = [LAW_ID.to_owned()];
    group.throughput(Throughput::Elements(1_000));
    group.bench_function("rows", |bencher| {
        bencher.iter(|| sample::rows(black_box(1), 0, 1_000, &laws));
    });
    group.finish();
}

fn lines(criterion: &mut Criterion) {
    let csv = csv();
    let mut group = criterion.benchmark_group("csv");
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Bytes(csv.len() as u64));
    group.bench_function("cut into blocks", |bencher| {
        bencher.iter(|| {
            let mut reader = BlockReader::new(black_box(csv.as_slice()), BLOCK_BYTES);
            let mut buffer = Vec::new();
            while let Some(block) = reader.next_block(buffer).expect("memory is read") {
                buffer = block.bytes;
            }
        });
    });
    group.bench_function("split rows", |bencher| {
        bencher.iter(|| {
            for line in black_box(&csv).split(|byte| *byte == b'\n') {
                let _ = black_box(rows::split(line));
            }
        });
    });
    group.throughput(Throughput::Elements(1));
    group.bench_function("header", |bencher| {
        bencher.iter(|| rows::header(black_box(b"nas,code,law_id")));
    });
    group.finish();
}

fn sorting(criterion: &mut Criterion) {
    let csv = csv();
    let records: Vec<Record> = electors()
        .hashes_from(0)
        .take(PARTITION)
        .map(|hash| {
            let mut shuffled = *hash;
            shuffled.reverse(); // the last byte is as good as random
            Record::new(shuffled, 0, 0)
        })
        .collect();
    let mut group = criterion.benchmark_group("sort");
    group.throughput(Throughput::Elements(PARTITION as u64));
    group.bench_function("fill a partition", |bencher| {
        bencher.iter(|| {
            let mut partition = Chunked::default();
            for staged in black_box(&records).chunks(64) {
                partition.extend_from_slice(staged);
            }
            partition
        });
    });
    group.bench_function("sort a partition", |bencher| {
        let mut scratch = Vec::new();
        bencher.iter_batched_ref(
            || {
                let mut partition = Chunked::default();
                partition.extend_from_slice(&records);
                partition
            },
            |partition| partition.sort_and_retain(&mut scratch, |item, last| Some(item) != last),
            BatchSize::SmallInput,
        );
    });
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Elements(ELECTORS));
    for threads in [1, 2] {
        group.bench_function(format!("electors, {threads} threads"), |bencher| {
            bencher.iter_batched(
                || gathered(&csv, 2),
                |gathered| gathered.sort(threads, &Progress::default()),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn pipeline(criterion: &mut Criterion) {
    let csv = csv();
    let mut group = criterion.benchmark_group("pipeline");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Elements(ELECTORS));
    for threads in [1, 2] {
        group.bench_function(format!("read and hash, {threads} threads"), |bencher| {
            bencher.iter(|| gathered(black_box(&csv), threads));
        });
        group.bench_function(format!("whole, {threads} threads"), |bencher| {
            bencher.iter(|| gathered(black_box(&csv), threads).sort(threads, &Progress::default()));
        });
    }
    group.finish();
}

/// Files are flushed to the disk when written, and come from its cache when read.
fn files(criterion: &mut Criterion) {
    let electors = electors();
    let hasher = Hasher::plain();
    let count = electors.len();
    let write = |format, directory: tempfile::TempDir| {
        let progress = Progress::default();
        let path = directory.path();
        shard_writer::write(&electors, &hasher, path, format, count, 1, &progress)
            .map(|written| (written, directory)) // removed outside the measured time
            .expect("a new directory takes files")
    };
    let directory = || tempfile::tempdir().expect("a temporary directory");
    let mut group = criterion.benchmark_group("files");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Elements(count as u64));
    for (name, format) in FORMATS {
        group.bench_function(format!("write {name}"), |bencher| {
            bencher.iter_batched(
                directory,
                |directory| write(format, directory),
                BatchSize::PerIteration,
            );
        });
        let (written, kept) = write(format, directory());
        let [shard] = written.shards.as_slice() else {
            panic!("all fits into one file");
        };
        let path = kept.path().join(&shard.file);
        let expected = Expected {
            format,
            shard: 0,
            count,
            sha256: &shard.sha256,
        };
        group.bench_function(format!("read and verify {name}"), |bencher| {
            bencher.iter(|| {
                let mut roll_id = RollId::new(hasher.scheme(), hasher.key_fingerprint());
                shard_reader::read(&path, &expected, &mut None, |hashes| roll_id.update(hashes))
                    .expect("what was written");
                assert_eq!(roll_id.hex(), written.roll_id);
            });
        });
    }
    let bytes: Vec<u8> = electors.hashes_from(0).flatten().copied().collect();
    group.throughput(Throughput::Bytes((count * HASH_BYTES) as u64));
    group.bench_function("roll id", |bencher| {
        bencher.iter(|| {
            let mut roll_id = RollId::new(hasher.scheme(), hasher.key_fingerprint());
            roll_id.update(black_box(&bytes));
            roll_id.hex()
        });
    });
    group.finish();
}

fn threads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parallel");
    group.throughput(Throughput::Elements(JOBS as u64));
    group.bench_function("idle jobs, 2 threads", |bencher| {
        bencher.iter(|| {
            parallel(2, JOBS, &Progress::default(), |job, (): &mut ()| {
                black_box(job);
                Ok::<(), ()>(())
            })
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1_500))
        .sample_size(30);
    targets = samples, lines, sorting, pipeline, files, threads
}
criterion_main!(benches);
