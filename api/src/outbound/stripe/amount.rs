//! How Stripe counts money: nearly always in the minor units of ISO 4217, with the exceptions that it documents.
//!
//! <https://docs.stripe.com/currencies#minor-units>

use domain::value::{Currency, Money};

/// An amount as Stripe counts it; `None` when it cannot be said there.
pub fn to_stripe(money: Money) -> Option<i64> {
    match scale(money.currency) {
        Scale::Same => Some(money.amount),
        Scale::Hundredfold => money.amount.checked_mul(100),
        Scale::Hundredth => (money.amount % 100 == 0).then_some(money.amount / 100),
        // Three decimals, of which the last has to be zero.
        Scale::Tens => (money.amount % 10 == 0).then_some(money.amount),
        Scale::Unknown => None,
    }
}

/// What Stripe counts so, in a currency as it writes it; `None` where that is none of ours.
pub fn from_stripe(amount: i64, code: &str) -> Option<Money> {
    let currency: Currency = code.to_ascii_uppercase().parse().ok()?;
    let amount = match scale(currency) {
        Scale::Same | Scale::Tens => amount,
        Scale::Hundredfold => amount / 100,
        Scale::Hundredth => amount.checked_mul(100)?,
        Scale::Unknown => return None,
    };
    Some(Money::new(amount, currency))
}

/// A currency as Stripe writes it.
pub fn code(currency: Currency) -> String {
    currency.as_str().to_ascii_lowercase()
}

enum Scale {
    Same,
    Hundredfold,
    Hundredth,
    Tens,
    Unknown,
}

fn scale(currency: Currency) -> Scale {
    match currency.as_str() {
        // Without decimals in ISO 4217, but two of zeros here.
        "ISK" | "UGX" => Scale::Hundredfold,
        // Two decimals in ISO 4217, none here.
        "MGA" => Scale::Hundredth,
        "BHD" | "JOD" | "KWD" | "OMR" | "TND" => Scale::Tens,
        _ if matches!(currency.minor_digits(), 0 | 2) => Scale::Same,
        _ => Scale::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_said_as_stripe_counts_them() {
        let cases = [
            (1_250, "GBP", Some(1_250)),
            (500, "JPY", Some(500)),
            (500, "KRW", Some(500)),
            (500, "ISK", Some(50_000)),
            (7, "UGX", Some(700)),
            (1_000, "MGA", Some(10)),
            (1_050, "MGA", None),
            (5_120, "KWD", Some(5_120)),
            (5_124, "KWD", None),
            (1_000, "LYD", None),
            (i64::MAX, "ISK", None),
        ];
        for (amount, currency, expected) in cases {
            let money = Money::new(amount, currency.parse().unwrap());
            assert_eq!(to_stripe(money), expected, "{money}");
            if let Some(said) = expected {
                assert_eq!(from_stripe(said, &code(money.currency)), Some(money));
            }
        }
        assert_eq!(code(Currency::GBP), "gbp");
        assert_eq!(from_stripe(5, "pounds"), None);
    }
}
