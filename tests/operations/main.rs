//! What an operator has of a running shop: its log, its traces, its metrics, its settings and its doctor.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

mod collector;
mod deployed;
mod doctor;
mod logs;
mod metrics;
mod settings;
mod shop;
mod traces;
