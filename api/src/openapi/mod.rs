//! What the API says of itself: OpenAPI and AsyncAPI documents, and a page to read them on.
//!
//! The documents are written by the tests, from the handlers' signatures and the types that they take and give, and kept
//! beside the code: what serves them need not know how to write them. A test says when they are not what would be written.

pub mod served;
#[cfg(test)]
mod written;
