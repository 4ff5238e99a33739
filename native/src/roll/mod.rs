//! From an electors' CSV to a sorted hash database, with all of the electors in little memory.

pub mod blocks;
pub mod chunked;
pub mod electors;
pub mod input;
pub mod pipeline;
pub mod rows;
pub mod several_codes;
pub mod shard_reader;
pub mod shard_writer;
pub mod sort;
