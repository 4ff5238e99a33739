//! Python bindings: types are converted here, the logic lives in the modules beside it.

pub mod ballot;
pub mod hex;
pub mod normalise;

use pyo3::create_exception;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};

use ballot::{Ballot, Hasher};
use normalise::Fault;

create_exception!(hashgen._native, FieldError, PyValueError);

fn field_error(py: Python<'_>, fault: Fault) -> PyErr {
    let (field, reason) = (fault.field(), fault.reason());
    let error = FieldError::new_err(format!("{field} {reason}"));
    let value = error.value(py);
    match value
        .setattr("field", field)
        .and_then(|()| value.setattr("reason", reason))
    {
        Ok(()) => error,
        Err(failure) => failure,
    }
}

/// A lone surrogate is a fault of the field: Python's own error would carry the value.
fn text<'a>(value: &'a Bound<'_, PyString>, fault: Fault) -> PyResult<&'a str> {
    value.to_str().map_err(|_| field_error(value.py(), fault))
}

fn hash_fields(
    hasher: &Hasher,
    nas: &Bound<'_, PyString>,
    code: &Bound<'_, PyString>,
    law_id: &Bound<'_, PyString>,
) -> PyResult<ballot::Hash> {
    let ballot = Ballot::new(
        text(nas, Fault::NasUnicode)?,
        text(code, Fault::CodeUnicode)?,
        text(law_id, Fault::LawIdUnicode)?,
    )
    .map_err(|fault| field_error(nas.py(), fault))?;
    Ok(hasher.hash(&ballot))
}

#[pyclass(frozen, module = "hashgen._native")]
struct BallotHasher(Hasher);

#[pymethods]
impl BallotHasher {
    #[new]
    #[pyo3(signature = (scheme = ballot::SCHEME_SHA256, key = None))]
    fn new(scheme: &str, key: Option<&[u8]>) -> PyResult<Self> {
        Hasher::new(scheme, key)
            .map(Self)
            .map_err(|error| PyValueError::new_err(error.message()))
    }

    #[getter]
    fn scheme(&self) -> &'static str {
        self.0.scheme()
    }

    #[getter]
    fn key_fingerprint(&self) -> &str {
        self.0.key_fingerprint()
    }

    fn hash<'py>(
        &self,
        nas: &Bound<'py, PyString>,
        code: &Bound<'py, PyString>,
        law_id: &Bound<'py, PyString>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        hash_fields(&self.0, nas, code, law_id).map(|hash| PyBytes::new(nas.py(), &hash))
    }

    fn hash_many<'py>(&self, rows: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let hashes = PyList::empty(rows.py());
        for row in rows.try_iter()? {
            let row = row?.cast_into::<PyTuple>()?;
            let (nas, code, law_id) = row.extract::<(
                Bound<'_, PyString>,
                Bound<'_, PyString>,
                Bound<'_, PyString>,
            )>()?;
            hashes.append(self.hash(&nas, &code, &law_id)?)?;
        }
        Ok(hashes)
    }
}

#[pymodule]
mod _native {
    use super::normalise::Fault;
    use super::{Bound, PyBytes, PyModule, PyModuleMethods, PyResult, PyString, Python};
    use super::{Hasher, ballot, field_error, hash_fields, normalise, pyfunction, text};

    #[pymodule_export]
    use super::{BallotHasher, FieldError};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add(
            "SCHEMES",
            (ballot::SCHEME_SHA256, ballot::SCHEME_HMAC_SHA256),
        )?;
        module.add("KEY_BYTES", ballot::KEY_BYTES)?;
        module.add("HASH_BYTES", ballot::HASH_BYTES)
    }

    #[pyfunction]
    fn ballot_hash<'py>(
        nas: &Bound<'py, PyString>,
        code: &Bound<'py, PyString>,
        law_id: &Bound<'py, PyString>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let hash = hash_fields(&Hasher::plain(), nas, code, law_id)?;
        Ok(PyBytes::new(nas.py(), &hash))
    }

    #[pyfunction]
    fn normalise_law_id<'a>(py: Python<'_>, law_id: &'a Bound<'_, PyString>) -> PyResult<&'a str> {
        normalise::law_id(text(law_id, Fault::LawIdUnicode)?).map_err(|f| field_error(py, f))
    }

    #[pyfunction]
    fn normalise_vote(py: Python<'_>, vote: &Bound<'_, PyString>) -> PyResult<&'static str> {
        normalise::vote(text(vote, Fault::Vote)?).map_err(|f| field_error(py, f))
    }
}
