//! Synthetic electors.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::sample;

#[pyfunction]
#[expect(
    clippy::needless_pass_by_value,
    reason = "PyO3 hands over owned values"
)]
pub fn sample_rows(
    py: Python<'_>,
    seed: u64,
    first: u64,
    count: u64,
    laws: Vec<String>,
) -> Bound<'_, PyBytes> {
    let rows = py.detach(|| sample::rows(seed, first, count, &laws));
    PyBytes::new(py, &rows)
}
