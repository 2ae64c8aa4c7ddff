//! What the lines and charges of a bill add up to, and what each line of it is worth.

use super::{CHARGES_MAX, Charge, LINES_MAX, Line, Refusal};
use crate::value::{Money, shares};

/// The sum of all lines and charges, with their taxes where those are not part of the prices.
pub(super) fn total(lines: &[Line], charges: &[Charge], include_tax: bool) -> Result<Money, Refusal> {
    if lines.len() > LINES_MAX || charges.len() > CHARGES_MAX {
        return Err(Refusal::TooManyLines { max: LINES_MAX });
    }
    let currency = match (lines.first(), charges.first()) {
        (Some(line), _) => line.unit_price.currency,
        (None, Some(charge)) => charge.unit_amount.currency,
        (None, None) => return Err(Refusal::Empty),
    };
    let negative = |line: &Line| line.unit_price.amount < 0 || line.tax.is_some_and(|tax| tax.amount < 0);
    let taxes = lines.iter().map(|line| line.tax).chain(charges.iter().map(|charge| charge.tax));
    if lines.iter().any(negative) || taxes.flatten().any(|tax| tax.currency != currency) {
        return Err(Refusal::BadTotal);
    }
    let on_top = |tax: Option<Money>| if include_tax { None } else { tax };
    let mut amounts = lines
        .iter()
        .map(|line| (line.unit_price.times(line.quantity), on_top(line.tax)))
        .chain(charges.iter().map(|charge| (charge.unit_amount.times(charge.quantity), on_top(charge.tax))));
    let sum = amounts.try_fold(Money::zero(currency), |sum, (amount, tax)| {
        let sum = sum.plus(amount?)?;
        tax.map_or(Some(sum), |tax| sum.plus(tax))
    });
    sum.filter(|sum| sum.amount >= 0).ok_or(Refusal::BadTotal)
}

/// What a line costs, with its tax where that is not part of the prices.
pub(super) fn gross(line: &Line, include_tax: bool) -> i64 {
    let tax = line.tax.filter(|_| !include_tax).map_or(0, |tax| tax.amount);
    let price = line.unit_price.amount.saturating_mul(i64::from(line.quantity.get()));
    price.saturating_add(tax).max(0)
}

/// What each line is worth, and what is to be paid besides: charges that cost something come on top of all lines; where
/// they take something off, every line has its share of that.
pub(super) fn worths(lines: &[Line], total: Money, include_tax: bool) -> (Vec<i64>, i64) {
    let gross: Vec<i64> = lines.iter().map(|line| gross(line, include_tax)).collect();
    let goods = gross.iter().fold(0_i64, |sum, gross| sum.saturating_add(*gross));
    let charges = total.amount.saturating_sub(goods);
    if charges >= 0 {
        return (gross, charges);
    }
    let weights: Vec<u64> = gross.iter().map(|gross| gross.unsigned_abs()).collect();
    let off = shares(charges, &weights);
    (gross.iter().zip(off).map(|(gross, off)| gross.saturating_add(off)).collect(), 0)
}
