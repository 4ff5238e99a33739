//! `CastCall`.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::cast;

#[pyclass(frozen, module = "hashgen._native")]
pub struct CastCall(cast::CastCall);

#[pymethods]
impl CastCall {
    #[new]
    fn new(function: &[u8], roll_id: &str, buckets_per_shard: u32) -> Self {
        let roll_id = roll_id.as_bytes();
        Self(cast::CastCall::new(function, roll_id, buckets_per_shard))
    }

    fn pack<'py>(
        &self,
        py: Python<'py>,
        ballot_hash: &[u8],
        law_id: &str,
        choice: &str,
        request_id: &[u8],
    ) -> PyResult<Bound<'py, PyBytes>> {
        let (law_id, choice) = (law_id.as_bytes(), choice.as_bytes());
        let call = self.0.pack(
            ballot_hash.try_into()?,
            law_id,
            choice,
            request_id.try_into()?,
        );
        Ok(PyBytes::new(py, &call))
    }
}
