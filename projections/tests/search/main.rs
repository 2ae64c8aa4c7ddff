//! What every search index has to do, what the embedded one does on disk, and how well it finds what shoppers mean.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

mod contract;
mod disk;
mod killed;
mod relevance;
mod shelf;
mod wire;
