//! Writes the documents, and says when those that are kept are others.

mod asks;
mod asyncapi;
mod document;
mod everywhere;
mod operation;
mod parts;
mod routes;
mod schemas;
mod shapes;
mod tests;
mod values;
