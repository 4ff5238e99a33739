//! `cargo bench`: one hash under each scheme, and the pipeline from bytes to sorted electors.

use std::hint::black_box;

use _native::ballot::{Ballot, Hasher, SCHEME_HMAC_SHA256};
use _native::roll::pipeline::{Options, gather};
use _native::sample;
use _native::supervise::Progress;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const ELECTORS: u64 = 100_000;

fn hashes(criterion: &mut Criterion) {
    let plain = Hasher::plain();
    let keyed = Hasher::new(SCHEME_HMAC_SHA256, Some(&[7; 32])).expect("a good key");
    let mut group = criterion.benchmark_group("ballot");
    for (name, hasher) in [("sha256", &plain), ("hmac-sha256", &keyed)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let ballot = Ballot::new(
                    black_box("012-345-678"),
                    black_box("abcd2345"),
                    black_box("L2025-001"),
                );
                hasher.hash(&ballot.expect("a good ballot"))
            });
        });
    }
    group.finish();
}

fn pipeline(criterion: &mut Criterion) {
    let mut csv = b"nas,code,law_id\n".to_vec();
    csv.extend(sample::rows(1, 0, ELECTORS, &["L2025-001".to_owned()]));
    let hasher = Hasher::plain();
    let mut group = criterion.benchmark_group("pipeline");
    group.sample_size(10);
    group.throughput(Throughput::Elements(ELECTORS));
    for threads in [1, 2] {
        group.bench_function(format!("{threads} threads"), |bencher| {
            let options = Options {
                threads,
                block_bytes: 512 * 1024,
            };
            bencher.iter(|| {
                let progress = Progress::default();
                let gathered = gather(csv.as_slice(), &hasher, options, &progress);
                gathered.expect("a good file").sort(threads, &progress)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, hashes, pipeline);
criterion_main!(benches);
