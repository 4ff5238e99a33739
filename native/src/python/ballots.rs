//! `BallotHasher` and the field functions.

use pyo3::create_exception;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};

use crate::ballot::{self, Ballot, Hasher};
use crate::normalise::{self, Fault};

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

fn hash_fields<'py>(
    hasher: &Hasher,
    ballot: &mut Ballot,
    nas: &Bound<'py, PyString>,
    code: &Bound<'py, PyString>,
    law_id: &Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyBytes>> {
    ballot
        .set(
            text(nas, Fault::NasUnicode)?,
            text(code, Fault::CodeUnicode)?,
            text(law_id, Fault::LawIdUnicode)?,
        )
        .map_err(|fault| field_error(nas.py(), fault))?;
    Ok(PyBytes::new(nas.py(), &hasher.hash(ballot)))
}

#[pyclass(frozen, module = "hashgen._native")]
pub struct BallotHasher(pub Hasher);

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
        hash_fields(&self.0, &mut Ballot::empty(), nas, code, law_id)
    }

    fn hash_many<'py>(&self, rows: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let hashes = PyList::empty(rows.py());
        let mut ballot = Ballot::empty();
        for row in rows.try_iter()? {
            let row = row?.cast_into::<PyTuple>()?;
            let (nas, code, law_id) = row.extract::<(
                Bound<'_, PyString>,
                Bound<'_, PyString>,
                Bound<'_, PyString>,
            )>()?;
            hashes.append(hash_fields(&self.0, &mut ballot, &nas, &code, &law_id)?)?;
        }
        Ok(hashes)
    }
}

#[pyfunction]
pub fn ballot_hash<'py>(
    nas: &Bound<'py, PyString>,
    code: &Bound<'py, PyString>,
    law_id: &Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyBytes>> {
    hash_fields(&Hasher::plain(), &mut Ballot::empty(), nas, code, law_id)
}

#[pyfunction]
pub fn normalise_law_id<'a>(law_id: &'a Bound<'_, PyString>) -> PyResult<&'a str> {
    normalise::law_id(text(law_id, Fault::LawIdUnicode)?)
        .map_err(|fault| field_error(law_id.py(), fault))
}

#[pyfunction]
pub fn normalise_vote(vote: &Bound<'_, PyString>) -> PyResult<&'static str> {
    normalise::vote(text(vote, Fault::Vote)?).map_err(|fault| field_error(vote.py(), fault))
}
