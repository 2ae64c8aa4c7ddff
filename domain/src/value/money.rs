//! Money: whole minor units of one ISO 4217 currency. There is no floating point anywhere.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{Invalid, Quantity};

/// An ISO 4217 alphabetic code, such as `GBP`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Currency([u8; 3]);

written_as_text!(Currency);

impl Currency {
    /// Pound sterling.
    pub const GBP: Self = Self(*b"GBP");

    /// The three letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // The constructor lets only A to Z in, so this is always UTF-8.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Currency {
    /// How many digits of an amount stand behind the point, as ISO 4217 lists it: 2 for most.
    #[must_use]
    pub const fn minor_digits(self) -> u32 {
        match &self.0 {
            b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG" | b"RWF"
            | b"UGX" | b"UYI" | b"VND" | b"VUV" | b"XAF" | b"XOF" | b"XPF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
            b"CLF" | b"UYW" => 4,
            _ => 2,
        }
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Currency {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text.as_bytes() {
            &[a, b, c] if [a, b, c].iter().all(u8::is_ascii_uppercase) => Ok(Self([a, b, c])),
            _ => Err(Invalid::new("currency", text, "three capital letters of ISO 4217, such as GBP")),
        }
    }
}

impl TryFrom<String> for Currency {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.as_str().to_owned()
    }
}

/// An amount in minor units (pence, cents) with its currency. May be negative: a discount, a credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Minor units.
    pub amount: i64,
    /// Their currency.
    pub currency: Currency,
}

impl Money {
    /// Minor units of a currency.
    #[must_use]
    pub const fn new(amount: i64, currency: Currency) -> Self {
        Self { amount, currency }
    }

    /// Nothing, in a currency.
    #[must_use]
    pub const fn zero(currency: Currency) -> Self {
        Self { amount: 0, currency }
    }

    /// The sum; `None` when the currencies differ or it does not fit.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        let same = self.currency == other.currency;
        same.then(|| self.amount.checked_add(other.amount)).flatten().map(|amount| Self { amount, ..self })
    }

    /// The amount as people write it, without the currency: `12.50`.
    #[must_use]
    pub fn decimal(self) -> String {
        let digits = self.currency.minor_digits();
        let sign = if self.amount < 0 { "-" } else { "" };
        let amount = self.amount.unsigned_abs();
        match 10_u64.checked_pow(digits).filter(|unit| *unit > 1) {
            Some(unit) => {
                let width = usize::try_from(digits).unwrap_or(2);
                format!("{sign}{}.{:0width$}", amount / unit, amount % unit)
            }
            None => format!("{sign}{amount}"),
        }
    }

    /// The difference; `None` when the currencies differ or it does not fit.
    #[must_use]
    pub fn minus(self, other: Self) -> Option<Self> {
        let same = self.currency == other.currency;
        same.then(|| self.amount.checked_sub(other.amount)).flatten().map(|amount| Self { amount, ..self })
    }

    /// So many times this; `None` when it does not fit.
    #[must_use]
    pub fn times(self, quantity: Quantity) -> Option<Self> {
        self.amount.checked_mul(i64::from(quantity.get())).map(|amount| Self { amount, ..self })
    }
}

impl FromStr for Money {
    type Err = Invalid;

    /// As people write it: `12.50 GBP`, with exactly the currency's digits.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid::new("amount of money", text, "such as 12.50 GBP, with the currency's digits");
        let (number, currency) = text.trim().split_once(' ').ok_or_else(wrong)?;
        let currency: Currency = currency.trim().parse()?;
        let amount = number.replace('.', "").parse().map_err(|_| wrong())?;
        let money = Self { amount, currency };
        if money.decimal() == number { Ok(money) } else { Err(wrong()) }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_read_as_it_is_written() {
        for text in ["12.50 GBP", "0.05 EUR", "-3.00 GBP", "500 JPY", "1.234 KWD"] {
            let money: Money = text.parse().unwrap();
            assert_eq!(format!("{} {}", money.decimal(), money.currency), text);
        }
        for text in ["12.5 GBP", "12 GBP", "5.00 JPY", "12.50", "12.50 gbp", "1,000.00 GBP", "", "+1.00 GBP"]
        {
            assert!(text.parse::<Money>().is_err(), "{text}");
        }
    }
}
