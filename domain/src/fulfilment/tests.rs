//! Fulfilments, driven by what they learn.

mod returns;
mod trouble;
