//! Reading the files of a hash database, with the GIL released.

use std::path::PathBuf;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::ballot::HASH_BYTES;
use crate::roll::shard_reader::{self, Expected};
use crate::roll::shard_writer::{Format, RollId};

pub fn format_named(name: &str) -> PyResult<Format> {
    Format::named(name)
        .ok_or_else(|| PyValueError::new_err("the format must be 'json' or 'binary'"))
}

/// Checks the files of a database one after the other.
#[pyclass(module = "hashgen._native")]
pub struct RollChecker {
    roll_id: RollId,
    previous: Option<[u8; HASH_BYTES]>,
}

#[pymethods]
impl RollChecker {
    #[new]
    fn new(scheme: &str, key_fingerprint: &str) -> Self {
        Self {
            roll_id: RollId::new(scheme, key_fingerprint),
            previous: None,
        }
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "PyO3 hands over owned values"
    )]
    fn check(
        &mut self,
        py: Python<'_>,
        path: PathBuf,
        format: &str,
        shard: usize,
        count: usize,
        sha256: &str,
    ) -> PyResult<()> {
        let format = format_named(format)?;
        let expected = Expected {
            format,
            shard,
            count,
            sha256,
        };
        let Self { roll_id, previous } = self;
        py.detach(|| {
            shard_reader::read(&path, &expected, previous, |hashes| roll_id.update(hashes))
        })
        .map_err(|fault| PyValueError::new_err(fault.reason()))
    }

    #[getter]
    fn roll_id(&self) -> String {
        self.roll_id.hex()
    }
}

#[pyfunction]
#[expect(
    clippy::needless_pass_by_value,
    reason = "PyO3 hands over owned values"
)]
pub fn read_shard<'py>(
    py: Python<'py>,
    path: PathBuf,
    format: &str,
    shard: usize,
    count: usize,
    sha256: &str,
) -> PyResult<Bound<'py, PyBytes>> {
    let format = format_named(format)?;
    let expected = Expected {
        format,
        shard,
        count,
        sha256,
    };
    // A count made up by a damaged manifest must not take all memory before the size is looked at.
    shard_reader::check_size(&path, &expected)
        .map_err(|fault| PyValueError::new_err(fault.reason()))?;
    PyBytes::new_with(py, count * HASH_BYTES, |bytes| {
        let mut at = 0;
        py.detach(|| {
            shard_reader::read(&path, &expected, &mut None, |hashes| {
                bytes[at..at + hashes.len()].copy_from_slice(hashes);
                at += hashes.len();
            })
        })
        .map_err(|fault| PyValueError::new_err(fault.reason()))
    })
}
