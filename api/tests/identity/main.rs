//! Who is who and who may do what, at the edge, on real servers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[path = "../api/support.rs"]
#[allow(dead_code, reason = "the other tests of the edge take more from it")]
mod support;

mod access;
mod accounts;
mod attacks;
mod claimed;
mod examples;
mod factor;
mod forgotten;
mod guests;
mod mailed;
mod meanwhile;
mod people;
mod sessions;
mod staff;
mod throttled;
mod tokens;
