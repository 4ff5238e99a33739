//! The extension `hashgen._native`. Logic lives in plain Rust, tested without Python; `python`
//! converts types.

pub mod ballot;
pub mod cast;
pub mod hex;
pub mod normalise;
pub mod padded;
mod python;
pub mod roll;
pub mod sample;
pub mod supervise;

#[pyo3::pymodule]
mod _native {
    use pyo3::prelude::*;
    use pyo3::types::PyBytes;

    use crate::python::rolls;
    use crate::roll::electors;
    use crate::{ballot, sample};

    #[pymodule_export]
    use crate::python::ballots::{
        BallotHasher, FieldError, ballot_hash, normalise_law_id, normalise_vote,
    };
    #[pymodule_export]
    use crate::python::calls::CastCall;
    #[pymodule_export]
    use crate::python::rolls::Electors;
    #[pymodule_export]
    use crate::python::samples::sample_rows;
    #[pymodule_export]
    use crate::python::shards::{RollChecker, read_shard};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add(
            "SCHEMES",
            (ballot::SCHEME_SHA256, ballot::SCHEME_HMAC_SHA256),
        )?;
        module.add("VERSION", env!("CARGO_PKG_VERSION"))?;
        module.add("KEY_BYTES", ballot::KEY_BYTES)?;
        module.add("HASH_BYTES", ballot::HASH_BYTES)?;
        module.add("SAMPLE_ELECTORS_MAX", sample::ELECTORS_MAX)?;
        module.add("BLOCK_BYTES", rolls::BLOCK_BYTES)?;
        let rejects_header = PyBytes::new(module.py(), electors::REJECTS_HEADER);
        module.add("REJECTS_HEADER", rejects_header)
    }
}
