//! Making a hash database, with the GIL released.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;

use super::ballots::BallotHasher;
use super::shards::format_named;
use crate::roll::electors::{self, LAWS_MAX};
use crate::roll::input::Input;
use crate::roll::pipeline::{FileFault, Options, gather};
use crate::roll::shard_writer;
use crate::roll::sort::SORT_STEPS;
use crate::supervise::{Progress, supervise};

pub const BLOCK_BYTES: usize = 512 * 1024;

/// The roll id, and each file's name, count of hashes and SHA-256.
type WrittenRoll = (String, Vec<(String, usize, String)>);

/// `OSError(errno, strerror, filename)`, which Python turns into its subclass.
fn os_error(error: &io::Error, path: &Path) -> PyErr {
    match error.raw_os_error() {
        Some(code) => {
            let text = error.to_string();
            let reason = text
                .split(" (os error")
                .next()
                .unwrap_or_default()
                .to_owned();
            PyOSError::new_err((code, reason, path.to_path_buf()))
        }
        None => PyOSError::new_err(format!("{error}: {}", path.display())),
    }
}

fn refused(fault: FileFault, path: &Path) -> PyErr {
    match fault {
        FileFault::Io(error) => os_error(&error, path),
        FileFault::Header(fault) => PyValueError::new_err(fault.message()),
        FileFault::TooManyLines => PyValueError::new_err("the file has more than 2^32 lines"),
        FileFault::TooManyLaws => {
            PyValueError::new_err(format!("the file has more than {LAWS_MAX} law ids"))
        }
    }
}

fn open(path: &Path) -> PyResult<Input> {
    Input::open(path).map_err(|error| os_error(&error, path))
}

/// Runs `work` without the GIL; here, signals are handled and `callback` is called.
fn watched<T: Send>(
    py: Python<'_>,
    callback: Option<&Py<PyAny>>,
    phase: &'static str,
    total: u64,
    work: impl FnOnce(&Progress) -> T + Send,
) -> PyResult<T> {
    py.detach(|| {
        let progress = Progress::default();
        let tick = |done| {
            Python::attach(|py| {
                py.check_signals()?;
                callback.map_or(Ok(()), |call| {
                    call.call1(py, (phase, done, total)).map(drop)
                })
            })
        };
        supervise(&progress, tick, || work(&progress))
    })
}

#[pyclass(module = "hashgen._native")]
pub struct Electors(electors::Electors);

#[pymethods]
impl Electors {
    #[staticmethod]
    #[pyo3(signature = (path, hasher, *, threads, block_bytes = BLOCK_BYTES, progress = None))]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "PyO3 hands over owned values"
    )]
    fn read(
        py: Python<'_>,
        path: PathBuf,
        hasher: &BallotHasher,
        threads: usize,
        block_bytes: usize,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        if threads == 0 || block_bytes == 0 {
            return Err(PyValueError::new_err(
                "threads and block_bytes must be above 0",
            ));
        }
        let input = open(&path)?;
        let options = Options {
            threads,
            block_bytes,
        };
        let callback = progress.as_ref();
        let gathered = watched(py, callback, "read", input.size_bytes, |progress| {
            gather(input.reader(progress), &hasher.0, options, progress)
        })?
        .map_err(|fault| refused(fault, &path))?;
        watched(py, callback, "sort", SORT_STEPS, |progress| {
            gathered.sort(threads, progress)
        })
        .map(Self)
    }

    /// Hashes kept.
    #[getter]
    fn total(&self) -> usize {
        self.0.len()
    }

    #[getter]
    fn rows(&self) -> u64 {
        self.0.rows
    }

    #[getter]
    fn unended_line(&self) -> Option<u32> {
        self.0.unended_line
    }

    #[getter]
    fn rejected(&self) -> usize {
        self.0.rejects.len()
    }

    #[getter]
    fn several_codes(&self) -> usize {
        self.0.several_codes.len()
    }

    #[getter]
    fn laws(&self) -> BTreeMap<String, u64> {
        self.0.laws.clone()
    }

    #[pyo3(signature = (path, hasher, *, block_bytes = BLOCK_BYTES, progress = None))]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "PyO3 hands over owned values"
    )]
    fn reject_other_codes(
        &mut self,
        py: Python<'_>,
        path: PathBuf,
        hasher: &BallotHasher,
        block_bytes: usize,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        if block_bytes == 0 {
            return Err(PyValueError::new_err("block_bytes must be above 0"));
        }
        let input = open(&path)?;
        watched(
            py,
            progress.as_ref(),
            "list",
            input.size_bytes,
            |progress| {
                self.0
                    .reject_other_codes(input.reader(progress), &hasher.0, block_bytes, progress)
            },
        )?
        .map_err(|fault| refused(fault, &path))
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "PyO3 hands over owned values"
    )]
    fn write_rejects(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        py.detach(|| {
            let mut out = BufWriter::new(File::create_new(&path)?);
            self.0.write_rejects(&mut out)?;
            out.into_inner()?.sync_all()
        })
        .map_err(|error| os_error(&error, &path))
    }

    #[pyo3(signature = (directory, hasher, *, format, shard_size, threads, progress = None))]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "PyO3 hands over owned values"
    )]
    #[expect(clippy::too_many_arguments, reason = "by keyword in Python")]
    fn write_shards(
        &self,
        py: Python<'_>,
        directory: PathBuf,
        hasher: &BallotHasher,
        format: &str,
        shard_size: usize,
        threads: usize,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<WrittenRoll> {
        let format = format_named(format)?;
        if threads == 0 || shard_size == 0 {
            return Err(PyValueError::new_err(
                "threads and shard_size must be above 0",
            ));
        }
        let total = self.0.len() as u64;
        let written = watched(py, progress.as_ref(), "write", total, |progress| {
            shard_writer::write(
                &self.0, &hasher.0, &directory, format, shard_size, threads, progress,
            )
        })?
        .map_err(|fault| os_error(&fault.error, &fault.path))?;
        let shards = written.shards.into_iter();
        Ok((
            written.roll_id,
            shards
                .map(|shard| (shard.file, shard.count, shard.sha256))
                .collect(),
        ))
    }
}
