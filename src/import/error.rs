//! Why an import stopped: input that is not as it must be, or a log that says no.

use std::{io, path::PathBuf};

use domain::{AnyRefusal, order, value::OrderId};

/// Why an import has no result.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be opened or read.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not as it must be; nothing was applied.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The rejected lines cannot be written; nothing was applied.
    #[error("the rejected lines cannot be written to {}: {source}", path.display())]
    Rejects {
        /// Where to.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The rejected lines would replace the file itself; nothing was applied.
    #[error("the rejected lines would overwrite {}", path.display())]
    RejectsOverFile {
        /// The file.
        path: PathBuf,
    },
    /// The log has the same invoice with another content.
    #[error("invoice {invoice} (line {line}) was imported before with other content: {what} differs")]
    OtherContent {
        /// Which invoice.
        invoice: OrderId,
        /// Where it starts in the file.
        line: u64,
        /// What of it.
        what: String,
    },
    /// The log has the opening stock of a file that starts with the same invoice and is another one.
    #[error(
        "a file that starts with invoice {invoice} was imported before with other content: \
         the opening stock of {sku} differs"
    )]
    OtherOpening {
        /// The file's first invoice.
        invoice: OrderId,
        /// The first SKU found to differ.
        sku: String,
    },
    /// The shop says no to what the retailer did.
    #[error("invoice {invoice} (line {line}): {what} was refused: {refusal} ({})", refusal.code())]
    Refused {
        /// Which invoice.
        invoice: OrderId,
        /// Where it starts in the file.
        line: u64,
        /// Which of its commands.
        what: String,
        /// Why.
        refusal: Box<AnyRefusal>,
    },
    /// The log cannot be written; the import can be repeated.
    #[error("{0}; what is applied stays, run the import again to go on")]
    Log(#[source] store::executor::ExecuteError),
    /// A command has no JSON.
    #[error("a command cannot be written down: {0}")]
    Command(#[from] serde_json::Error),
    /// Reading the file was cut off because the process ends.
    #[error("reading was cut off: {0}")]
    CutOff(#[from] tokio::task::JoinError),
}

impl ImportError {
    /// 2 for bad input, 1 for everything else.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::File { .. } | Self::Input(_) | Self::Rejects { .. } | Self::RejectsOverFile { .. } => 2,
            Self::OtherContent { .. }
            | Self::OtherOpening { .. }
            | Self::Refused { .. }
            | Self::Log(_)
            | Self::Command(_)
            | Self::CutOff(_) => 1,
        }
    }
}

/// A place in the file, and what is wrong there.
#[derive(Debug, thiserror::Error)]
#[error("line {line}{}: {problem}", column.map(|name| format!(", column {name}")).unwrap_or_default())]
pub struct InputError {
    /// The line, from 1; the header is line 1.
    pub line: u64,
    /// The column's name, where one is to blame.
    pub column: Option<&'static str>,
    /// What is wrong.
    #[source]
    pub problem: Problem,
}

/// What can be wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The compressed bytes end early or are damaged.
    #[error("the compressed file is cut short or damaged here: {0}")]
    Compressed(#[source] io::Error),
    /// More bytes than may be.
    #[error("the file is larger than {max} bytes when unpacked")]
    TooLarge {
        /// The limit.
        max: u64,
    },
    /// The bytes are not text.
    #[error("these bytes are not UTF-8 (byte {} of the field)", .0.valid_up_to() + 1)]
    NotUtf8(#[source] std::str::Utf8Error),
    /// The record is not as wide as the header.
    #[error("{found} fields where {wanted} belong")]
    Fields {
        /// How many there are.
        found: usize,
        /// How many there should be.
        wanted: usize,
    },
    /// A value that is not of its column.
    #[error("{value:?} is not {wanted}")]
    Wrong {
        /// What stands there, cut to 80 characters.
        value: String,
        /// What belongs there.
        wanted: &'static str,
    },
    /// An invoice is longer than an order may be.
    #[error("this is one more than the {max} {of} that an order may have")]
    TooLong {
        /// The limit.
        max: usize,
        /// Of what.
        of: &'static str,
    },
    /// An invoice does not make an order.
    #[error("the invoice that starts here cannot be booked: {0}")]
    Bill(#[source] order::Refusal),
    /// Numbers that no count of stock can hold.
    #[error("the quantities of this product do not fit a count of stock")]
    TooMuch,
}

impl Problem {
    /// A value that is not of its column.
    pub(super) fn wrong(value: &str, wanted: &'static str) -> Self {
        Self::Wrong { value: value.chars().take(80).collect(), wanted }
    }

    /// This problem at a place in the file.
    pub(super) const fn at(self, line: u64, column: Option<&'static str>) -> InputError {
        InputError { line, column, problem: self }
    }
}
