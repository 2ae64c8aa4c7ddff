//! Random histories of stock: it is never oversold.
