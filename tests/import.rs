//! What whoever imports a retailer's file may rely on, on real servers.

mod import {
    mod ground;
    mod input;
    mod replay;
}
