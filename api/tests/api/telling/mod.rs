//! A shop that tells others what happened: real mail servers and receivers of webhooks, and what they got.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

mod carriers;
mod left;
mod mails;
mod pace;
mod receivers;
mod texts;
mod webhooks;
