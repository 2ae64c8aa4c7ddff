//! Whole flows and faults, told against the running system; the tests are beside this crate.
