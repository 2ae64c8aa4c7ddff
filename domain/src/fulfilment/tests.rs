//! Fulfilments, driven by what they learn.
