//! What whoever imports a retailer's file may rely on, on real servers.

#![expect(clippy::unwrap_used, reason = "a test that cannot have its ground cannot go on")]

mod import {
    mod ground;
    mod input;
    mod recorded;
    mod replay;
}
