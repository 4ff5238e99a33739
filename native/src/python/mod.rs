//! What Python sees. These modules convert types and release the GIL, nothing else.

pub mod ballots;
pub mod calls;
pub mod rolls;
pub mod samples;
pub mod shards;
