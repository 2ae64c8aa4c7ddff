//! Read models as they were, folded from the log alone by the code that fills them.

mod order;
mod stock;
mod stock_check;

pub use order::PastError;
pub use stock::{Asked, StockThen, Stocktaking, stock_then};
pub use stock_check::{Compared, Differing, Figures, compare_stock};
