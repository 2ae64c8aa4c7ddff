//! What a shop may decide, and nothing else: pure aggregates, their values, and the process manager.
//!
//! No I/O, clock, randomness or logging lives here. Prices, times and new ids arrive in the commands.

mod aggregate;
pub mod allowance;
mod any;
pub mod cart;
pub mod checkout;
pub mod fulfilment;
pub mod inventory_item;
pub mod invoice_book;
pub mod order;
pub mod payment;
pub mod pricing;
pub mod process;
pub mod product;
pub mod shape;
pub mod subject;
#[cfg(test)]
mod testing;
pub mod value;

pub use aggregate::{Aggregate, Event, Refusal};
pub use any::{AggregateType, AnyCommand, AnyEvent, AnyRefusal, AnyState, UnknownAggregate};
