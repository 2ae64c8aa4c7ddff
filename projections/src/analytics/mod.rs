//! What is asked of the log itself by those who analyse it.

pub mod history;
