//! Dividing a whole so that the parts add up to it exactly. There is no rounding error to lose.

/// Divides `total` in proportion to `weights`, by the method of the largest remainder: every part is the exact share
/// rounded down or up, and the units left over go to the largest remainders, the earlier one first.
///
/// The parts add up to `total` and have its sign. Where all weights are zero they count alike; without weights there
/// are no parts.
#[must_use]
pub fn shares(total: i64, weights: &[u64]) -> Vec<i64> {
    let sum: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    let alike = sum == 0;
    let sum = if alike { weights.len() as u128 } else { sum };
    if sum == 0 {
        return vec![];
    }
    let whole = u128::from(total.unsigned_abs());
    let mut parts: Vec<(usize, u128, u128)> = weights
        .iter()
        .enumerate()
        .map(|(place, weight)| {
            let weight = if alike { 1 } else { u128::from(*weight) };
            // At most 64 bits times 64 bits.
            let exact = whole * weight;
            (place, exact / sum, exact % sum)
        })
        .collect();
    let given: u128 = parts.iter().map(|(_, part, _)| part).sum();
    let left = usize::try_from(whole - given).unwrap_or(0);
    parts.sort_by(|(a, _, one), (b, _, other)| other.cmp(one).then(a.cmp(b)));
    for (_, part, _) in parts.iter_mut().take(left) {
        *part += 1;
    }
    parts.sort_by_key(|(place, _, _)| *place);
    let sign = if total < 0 { -1 } else { 1 };
    parts.into_iter().map(|(_, part, _)| i64::try_from(part).map_or(total, |part| sign * part)).collect()
}

/// The part of `total` that the units `from..to` of `units` have, so that consecutive parts add up to `total` exactly.
#[must_use]
pub fn part(total: i64, units: u32, from: u32, to: u32) -> i64 {
    let until = |count: u32| match units {
        0 => 0,
        units => i128::from(total) * i128::from(count.min(units)) / i128::from(units),
    };
    // Both ends lie between zero and the total.
    i64::try_from(until(to.max(from)) - until(from)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn shares_add_up_and_stay_within_one_unit(
            total in any::<i64>().prop_filter("its negation exists", |total| *total != i64::MIN),
            weights in prop::collection::vec(0..1_000_000_u64, 1..20),
        ) {
            let parts = shares(total, &weights);
            prop_assert_eq!(parts.iter().map(|part| i128::from(*part)).sum::<i128>(), i128::from(total));
            let sum: u64 = weights.iter().sum();
            for (part, weight) in parts.iter().zip(&weights).filter(|_| sum > 0) {
                let exact = i128::from(total) * i128::from(*weight);
                prop_assert!((i128::from(*part) * i128::from(sum) - exact).abs() < i128::from(sum));
            }
        }

        #[test]
        fn consecutive_parts_add_up(total in any::<i64>(), units in 1..50_u32, cuts in prop::collection::vec(0..50_u32, 0..6)) {
            let mut cuts: Vec<u32> = cuts.into_iter().map(|cut| cut.min(units)).chain([0, units]).collect();
            cuts.sort_unstable();
            let sum: i128 = cuts.windows(2).map(|pair| i128::from(part(total, units, pair[0], pair[1]))).sum();
            prop_assert_eq!(sum, i128::from(total));
        }
    }

    #[test]
    fn the_odd_penny_goes_to_the_largest_remainder() {
        assert_eq!(shares(100, &[1, 1, 1]), [34, 33, 33]);
        assert_eq!(shares(-100, &[1, 1, 1]), [-34, -33, -33]);
        assert_eq!(shares(10, &[1, 2, 3]), [2, 3, 5]);
        assert_eq!(shares(5, &[0, 0]), [3, 2]);
        assert_eq!(shares(5, &[]), Vec::<i64>::new());
    }
}
