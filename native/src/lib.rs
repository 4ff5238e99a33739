//! Python bindings: types are converted here, the logic lives in the modules beside it.
use pyo3::prelude::*;

#[pymodule]
mod _native {}
