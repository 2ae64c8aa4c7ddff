//! Stripe as the gateway: against localstripe, an imitation that others wrote, through a proxy that records what is asked
//! and lets go wrong what can.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

mod adapter;
mod amounts;
mod failures;
mod later;
mod methods;
mod proxy;
mod saved;
mod settling;
mod shop;
mod storm;
#[allow(dead_code, reason = "the other test target uses the rest of it")]
#[path = "../api/support.rs"]
mod support;
mod timeouts;
mod webhooks;
