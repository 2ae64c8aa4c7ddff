//! Webhooks out: who has asked for them, and how they are sent.

mod address;
mod endpoints;
mod listeners;
mod send;

pub use address::{Allowed, NotAllowed, Target};
pub use endpoints::{Changes, DISABLED, ENDPOINTS_MAX, Endpoint, EndpointError, Endpoints, NewEndpoint};
pub use listeners::{Listeners, Listening};
pub use send::{Send, SendSettings};
