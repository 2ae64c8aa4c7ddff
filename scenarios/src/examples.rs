//! The examples of a scenario, put into its steps, and what is wrong with their tables.

use crate::{
    feature::{Row, Step},
    source::Source,
    text::{Flaw, Text, instead_of},
};

/// A scenario once for every row of its examples.
pub(crate) fn rows(
    source: &Source<'_>,
    scenario: &gherkin::Scenario,
    tags: &[String],
    steps: &[Step],
    flaws: &mut Vec<Flaw>,
) -> Vec<Row> {
    let title = source.line_at(scenario.span.start);
    let mut rows = vec![];
    for examples in &scenario.examples {
        let table = examples.table.as_ref().map(|table| source.table(table)).unwrap_or_default();
        let Some((header, values)) = table.split_first().filter(|(_, values)| !values.is_empty()) else {
            let at = source.start_of_line(examples.span.start);
            flaws.push(Flaw::new(at, "the examples have no rows"));
            continue;
        };
        let texts: Vec<_> = steps.iter().flat_map(Step::texts).chain([&title]).collect();
        check_columns(header, &texts, flaws);
        check_rows(values, flaws);
        for row in values {
            let values: Vec<_> =
                header.iter().map(|name| name.as_str().to_owned()).zip(row.iter().cloned()).collect();
            let example: Vec<_> =
                values.iter().map(|(name, value)| format!("{name}: {}", value.as_str())).collect();
            rows.push(Row {
                example: Some(example.join(", ")),
                tags: [tags, examples.tags.as_slice()].concat(),
                steps: steps.iter().map(|step| step.filled(&values)).collect(),
            });
        }
    }
    rows
}

/// Steps without examples leave nothing to be filled in.
pub(crate) fn none(steps: &[Step], flaws: &mut Vec<Flaw>) {
    for text in steps.iter().flat_map(Step::texts) {
        for (start, name) in placeholders(text) {
            tell(Flaw::new(text.place(start), format!("no examples fill <{name}>")), flaws);
        }
    }
}

/// Each column fills something, and everything that is to be filled has one.
fn check_columns(header: &[Text], texts: &[&Text], flaws: &mut Vec<Flaw>) {
    let names = || header.iter().map(Text::as_str);
    let mut filled = true;
    for text in texts {
        for (start, name) in placeholders(text) {
            if !names().any(|column| column == name) {
                let instead = instead_of(name, names());
                let message = format!("the examples have no column \"{name}\"{instead}");
                tell(Flaw::new(text.place(start), message), flaws);
                filled = false;
            }
        }
    }
    // A column that fills nothing may be meant for what nothing fills.
    for (index, column) in header.iter().enumerate() {
        let name = column.as_str();
        let wanted = format!("<{name}>");
        let message = if names().take(index).any(|earlier| earlier == name) {
            format!("there are two columns \"{name}\"")
        } else if !filled || texts.iter().any(|text| text.as_str().contains(&wanted)) {
            continue;
        } else {
            format!("no step says {wanted}, which this column is for")
        };
        tell(Flaw::new(column.at(), message), flaws);
    }
}

fn check_rows(rows: &[Vec<Text>], flaws: &mut Vec<Flaw>) {
    let same =
        |left: &[Text], right: &[Text]| left.iter().map(Text::as_str).eq(right.iter().map(Text::as_str));
    for (index, row) in rows.iter().enumerate() {
        let earlier = rows.iter().take(index).find(|earlier| same(earlier, row));
        if let (Some(earlier), Some(cell)) = (earlier.and_then(|row| row.first()), row.first()) {
            let message = format!("the same row stands in line {} already", earlier.at().line);
            flaws.push(Flaw::new(cell.at(), message));
        }
    }
}

/// Every `<name>` with the byte at which it begins.
fn placeholders(text: &Text) -> impl Iterator<Item = (usize, &str)> {
    let text = text.as_str();
    text.match_indices('<').filter_map(move |(start, _)| {
        let (name, _) = text[start + 1..].split_once('>')?;
        let named = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-' | ' ');
        let ends = name.starts_with(char::is_alphanumeric) && name.ends_with(char::is_alphanumeric);
        (ends && name.chars().all(named)).then_some((start, name))
    })
}

/// A flaw of a background shows in every scenario below.
fn tell(flaw: Flaw, flaws: &mut Vec<Flaw>) {
    if !flaws.contains(&flaw) {
        flaws.push(flaw);
    }
}
