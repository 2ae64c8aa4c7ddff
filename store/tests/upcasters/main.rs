//! Events that became others, several or none: read alike on every way that they are read.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

mod acting;
mod commanding;
mod enveloped;
mod following;
mod old;
mod reading;
