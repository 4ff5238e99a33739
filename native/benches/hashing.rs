//! `cargo bench`: what an elector's fields cost, one by one and in batches, and the call of a vote.

use std::hint::black_box;
use std::time::Duration;

use _native::ballot::{Ballot, HASH_BYTES, Hasher, SCHEME_HMAC_SHA256};
use _native::cast::{CastCall, REQUEST_ID_BYTES};
use _native::normalise::{self, CODE_CHARS_MAX, NAS_DIGITS};
use _native::{hex, sample};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sha2::{Digest, Sha256};

const BATCH: u64 = 1_000;
const HASHES: usize = 1_000;

/// As it is typed, with separators, and as it stands in a roll.
const NAS: [(&str, &str); 2] = [("typed", "012-345-678"), ("plain", "012345678")];
const CODES: [(&str, &str); 2] = [("typed", "abcd-2345"), ("plain", "ABCD2345")];
const LAW_ID: &str = "L2025-001";

fn normalisation(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("normalise");
    for (name, nas) in NAS {
        group.throughput(Throughput::Bytes(nas.len() as u64));
        group.bench_function(format!("nas, {name}"), |bencher| {
            bencher.iter(|| {
                let mut digits = [0; NAS_DIGITS];
                normalise::nas(black_box(nas), &mut digits).map(|()| digits)
            });
        });
    }
    for (name, code) in CODES {
        group.throughput(Throughput::Bytes(code.len() as u64));
        group.bench_function(format!("code, {name}"), |bencher| {
            bencher.iter(|| {
                let mut chars = [0; CODE_CHARS_MAX];
                normalise::code(black_box(code), &mut chars).map(|len| (chars, len))
            });
        });
    }
    group.throughput(Throughput::Bytes(LAW_ID.len() as u64));
    group.bench_function("law id", |bencher| {
        bencher.iter(|| normalise::law_id(black_box(LAW_ID)).is_ok());
    });
    group.throughput(Throughput::Bytes(3));
    group.bench_function("vote", |bencher| {
        bencher.iter(|| normalise::vote(black_box("Non")));
    });
    group.finish();
}

fn ballots(criterion: &mut Criterion) {
    let plain = Hasher::plain();
    let keyed = Hasher::new(SCHEME_HMAC_SHA256, Some(&[7; 32])).expect("a good key");
    let rows = String::from_utf8(sample::rows(1, 0, BATCH, &[LAW_ID.to_owned()])).expect("ASCII");
    let fields: Vec<Vec<&str>> = rows.lines().map(|row| row.split(',').collect()).collect();
    let mut group = criterion.benchmark_group("ballot");
    group.throughput(Throughput::Elements(1));
    group.bench_function("no hash", |bencher| {
        bencher.iter(|| {
            Ballot::new(
                black_box(NAS[0].1),
                black_box(CODES[0].1),
                black_box(LAW_ID),
            )
        });
    });
    // What cannot be saved: the hash of a message that is ready.
    group.bench_function("SHA-256 alone", |bencher| {
        bencher.iter(|| Sha256::digest(black_box(b"012345678|ABCD2345|L2025-001")));
    });
    for (name, hasher) in [("sha256", &plain), ("hmac-sha256", &keyed)] {
        group.throughput(Throughput::Elements(1));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let ballot = Ballot::new(
                    black_box(NAS[0].1),
                    black_box(CODES[0].1),
                    black_box(LAW_ID),
                );
                hasher.hash(&ballot.expect("a good ballot"))
            });
        });
        group.throughput(Throughput::Elements(BATCH));
        group.bench_function(format!("{name}, a batch of {BATCH}"), |bencher| {
            bencher.iter(|| {
                let mut ballot = Ballot::empty();
                for row in black_box(&fields) {
                    ballot.set(row[0], row[1], row[2]).expect("a good ballot");
                    black_box(hasher.hash(&ballot));
                }
            });
        });
    }
    group.finish();
}

fn calls(criterion: &mut Criterion) {
    let call = CastCall::new(b"scrutin_cast_0123abcd", &[b'5'; 64], 600);
    let mut group = criterion.benchmark_group("call");
    group.throughput(Throughput::Elements(1));
    group.bench_function("cast", |bencher| {
        bencher.iter(|| {
            call.pack(
                black_box(&[7; HASH_BYTES]),
                black_box(LAW_ID.as_bytes()),
                b"oui",
                black_box(&[9; REQUEST_ID_BYTES]),
            )
        });
    });
    group.finish();
}

fn hexadecimal(criterion: &mut Criterion) {
    let hashes: Vec<_> = (0_u64..HASHES as u64)
        .map(|number| Sha256::digest(number.to_be_bytes()))
        .collect();
    let bytes = hashes.concat();
    let digits = hex::encode(&bytes);
    let mut group = criterion.benchmark_group("hex");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("encode a hash", |bencher| {
        bencher.iter(|| {
            for hash in black_box(&hashes) {
                black_box(hex::encode(hash));
            }
        });
    });
    group.bench_function("push", |bencher| {
        let mut out = Vec::with_capacity(digits.len());
        bencher.iter(|| {
            out.clear();
            hex::push(black_box(&bytes), &mut out);
        });
    });
    group.bench_function("decode", |bencher| {
        let mut out = vec![0; bytes.len()];
        bencher.iter(|| hex::decode(black_box(digits.as_bytes()), &mut out));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(50);
    targets = normalisation, ballots, calls, hexadecimal
}
criterion_main!(benches);
