//! Random quotes.
