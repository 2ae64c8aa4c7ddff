//! The parts of the composition root that tests reach too.

pub mod import;
