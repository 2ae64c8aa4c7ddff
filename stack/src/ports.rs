//! Knows which ports on loopback are free.

use std::net::{Ipv4Addr, TcpListener};

use crate::StackError;
use crate::secrets;

/// Below every system's range for outgoing connections (Linux: 32768): a client that keeps calling while the
/// server is away must not take the port itself, nor connect to itself.
const FIRST: u16 = 20_000;
const LAST: u16 = 32_000;
const TRIES_MAX: usize = 200;

/// Whether a server could listen on this port now.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// The wanted port when it is free, otherwise a random one that is.
pub(crate) fn pick(wanted: Option<u16>) -> Result<u16, StackError> {
    if let Some(port) = wanted.filter(|port| is_free(*port)) {
        return Ok(port);
    }
    for _ in 0..TRIES_MAX {
        let dice = u16::from_le_bytes(secrets::random()?);
        let port = FIRST + dice % (LAST - FIRST + 1);
        if is_free(port) {
            return Ok(port);
        }
    }
    Err(StackError::NoPort { first: FIRST, last: LAST })
}
