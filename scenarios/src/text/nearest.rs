//! The name that somebody probably meant.

/// The nearest of `names`, when it is near enough to be meant.
#[must_use]
pub fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (wanted.chars().count() / 3).max(2);
    let near = names.into_iter().map(|name| (distance(wanted, name), name));
    near.filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// What to write instead: the nearest name, or all of them.
#[must_use]
pub fn instead_of<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(wanted, names.clone()) {
        Some(name) => format!("; did you mean \"{name}\"?"),
        None => {
            let names: Vec<_> = names.into_iter().collect();
            if names.is_empty() { String::new() } else { format!("; there are {}", names.join(", ")) }
        }
    }
}

/// Case and the way that words are joined are no difference.
fn fold(name: &str) -> Vec<char> {
    name.chars().filter(|letter| !matches!(letter, '_' | ' ' | '-')).flat_map(char::to_lowercase).collect()
}

/// How many letters must be added, taken away, changed or swapped with their neighbour.
#[must_use]
pub fn distance(left: &str, right: &str) -> usize {
    let (left, right) = (fold(left), fold(right));
    let mut rows: Vec<Vec<usize>> = vec![(0..=right.len()).collect()];
    for (i, a) in left.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in right.iter().enumerate() {
            let mut least = (rows[i][j] + usize::from(a != b)).min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == right[j - 1] && left[i - 1] == *b {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_near_and_another_word_is_not() {
        let names = ["LineAdded", "LineRemoved", "Opened"];
        assert_eq!(nearest("LineAded", names), Some("LineAdded"));
        assert_eq!(nearest("line_added", names), Some("LineAdded"));
        assert_eq!(nearest("Oepned", names), Some("Opened"));
        assert_eq!(nearest("Shipped", names), None);
    }
}
