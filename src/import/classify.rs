//! Knows what a line is: goods, a charge, a correction of stock, or nothing that can be booked.

use domain::inventory_item::AdjustReason;

use super::{
    error::{InputError, Problem},
    line::{COLUMNS, Line},
};

/// What a line stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Products, at a price above zero in pence.
    Goods {
        /// The price of one.
        pence: i64,
    },
    /// Anything else on the bill that is worth something: postage, a fee, a discount; a price below zero.
    Charge {
        /// The amount of one.
        pence: i64,
    },
    /// Stock that went without being sold.
    Adjustment,
    /// Nothing that can be booked.
    Rejected(Reason),
}

/// Why a line is rejected. None of these lines is worth half a penny.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The price is zero, and no stock went.
    NoValue,
    /// The quantity is zero.
    NoQuantity,
    /// All of it is worth less than half a penny.
    LessThanAPenny,
    /// Stock went of something that is not a product.
    NotAProduct,
}

impl Reason {
    /// The word in the rejects file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoValue => "no_value",
            Self::NoQuantity => "no_quantity",
            Self::LessThanAPenny => "less_than_a_penny",
            Self::NotAProduct => "not_a_product",
        }
    }
}

/// What a line of an invoice is; `cancels` tells whether the invoice is a cancellation.
pub fn classify(line: &Line, cancels: bool) -> Result<Class, InputError> {
    if line.quantity == 0 {
        return Ok(Class::Rejected(Reason::NoQuantity));
    }
    let Some(pence) = line.price.pence() else {
        return if line.price.is_nothing(line.quantity) {
            Ok(Class::Rejected(Reason::LessThanAPenny))
        } else {
            let wanted =
                "a price in whole pence (less is taken only where the line is worth less than half a penny)";
            Err(Problem::wrong("a part of a penny", wanted).at(line.number, Some(COLUMNS[5])))
        };
    };
    if pence == 0 {
        return Ok(if line.quantity > 0 || cancels {
            Class::Rejected(Reason::NoValue)
        } else if is_product(&line.code) {
            Class::Adjustment
        } else {
            Class::Rejected(Reason::NotAProduct)
        });
    }
    if line.code.is_empty() {
        return Err(Problem::wrong("", "a stock code").at(line.number, Some(COLUMNS[1])));
    }
    Ok(if pence > 0 && is_product(&line.code) { Class::Goods { pence } } else { Class::Charge { pence } })
}

/// Products are five digits and perhaps letters, or DCGS and something behind it; everything else is a charge.
fn is_product(code: &str) -> bool {
    if code.len() > 64 {
        return false;
    }
    if let Some(rest) = code.strip_prefix("DCGS") {
        return !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
    }
    let (digits, letters) = code.split_at(code.bytes().take_while(u8::is_ascii_digit).count());
    digits.len() == 5 && letters.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// Why stock went, as far as the words say.
pub fn adjust_reason(description: &str) -> AdjustReason {
    let words = description.to_lowercase();
    let says = |any: &[&str]| any.iter().any(|word| words.contains(word));
    if says(&["damag", "broken", "faulty", "smashed", "crushed", "thrown", "rusty", "mouldy"]) {
        AdjustReason::Damaged
    } else if says(&["lost", "missing", "stolen"]) {
        AdjustReason::Lost
    } else {
        AdjustReason::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_told_from_charges_by_their_code() {
        for code in ["85123A", "15056bl", "22423", "DCGS0076", "DCGSSBOY"] {
            assert!(is_product(code), "{code}");
        }
        for code in ["POST", "m", "BANK CHARGES", "gift_0001_40", "C2", "2242", "224231", "DCGS", ""] {
            assert!(!is_product(code), "{code}");
        }
    }

    #[test]
    fn words_tell_why_stock_went() {
        assert_eq!(adjust_reason("Damages/display"), AdjustReason::Damaged);
        assert_eq!(adjust_reason("faulty"), AdjustReason::Damaged);
        assert_eq!(adjust_reason("lost in space"), AdjustReason::Lost);
        assert_eq!(adjust_reason("?"), AdjustReason::Other);
    }
}
