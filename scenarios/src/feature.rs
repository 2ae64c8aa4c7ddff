//! A feature file taken apart: scenarios with their tags, their examples put in, and every step with its place.

use gherkin::{GherkinEnv, StepType};

use crate::{
    examples,
    slips::slips,
    source::Source,
    text::{Flaw, Pos, TIMES_MAX, Text},
};

/// A rule of the shop, told by example.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it says.
    pub title: String,
    /// Where it stands.
    pub at: Pos,
    /// Once, or once for every row of its examples.
    pub rows: Vec<Row>,
}

/// One telling of a scenario.
#[derive(Clone, Debug)]
pub struct Row {
    /// The example that was put in, if it has any.
    pub example: Option<String>,
    /// Tags of the feature, the rule, the scenario and the examples.
    pub tags: Vec<String>,
    /// Background first.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Given, When or Then; And and But are what stands before them.
    pub kind: StepType,
    /// As it is written, with its keyword.
    pub whole: Text,
    /// What follows the keyword.
    pub body: Text,
    /// The rows of its table.
    pub table: Option<Vec<Vec<Text>>>,
}

/// Reads a file: its scenarios, and what is wrong with them.
#[must_use]
pub fn read(text: &str) -> (Vec<Scenario>, Vec<Flaw>) {
    // Some editors begin a file with a mark of its encoding.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let source = Source::new(text);
    let start = Pos { line: 1, column: 1 };
    if source.is_blank() {
        return (vec![], vec![Flaw::new(start, "the file is empty")]);
    }
    if let Some(flaw) = source.lone_returns() {
        return (vec![], vec![flaw]);
    }
    let slips = slips(&source);
    let uneven = source.uneven_rows();
    if !uneven.is_empty() {
        let told = |flaw: &Flaw| slips.iter().any(|slip| slip.at.line == flaw.at.line);
        let uneven: Vec<_> = uneven.into_iter().filter(|flaw| !told(flaw)).collect();
        return (vec![], [slips, uneven].concat());
    }
    let feature = match gherkin::Feature::parse(text, GherkinEnv::default()) {
        Ok(feature) => feature,
        Err(_) if !slips.is_empty() => return (vec![], slips),
        Err(error) => return (vec![], vec![source.syntax_error(&error.to_string())]),
    };
    let mut reading = Reading { source: &source, scenarios: vec![], flaws: slips };
    let background = reading.steps(feature.background.as_ref().map_or(&[], |background| &background.steps));
    reading.all(&feature.scenarios, &background, &feature.tags);
    for rule in &feature.rules {
        let mut steps = background.clone();
        steps.extend(reading.steps(rule.background.as_ref().map_or(&[], |background| &background.steps)));
        let tags = [feature.tags.as_slice(), rule.tags.as_slice()].concat();
        reading.all(&rule.scenarios, &steps, &tags);
    }
    if reading.scenarios.is_empty() && reading.flaws.is_empty() {
        let at = source.start_of_line(feature.span.start);
        reading.flaws.push(Flaw::new(at, "the feature has no scenarios"));
    }
    reading.titles();
    (reading.scenarios, reading.flaws)
}

struct Reading<'a> {
    source: &'a Source<'a>,
    scenarios: Vec<Scenario>,
    flaws: Vec<Flaw>,
}

impl Reading<'_> {
    fn all(&mut self, scenarios: &[gherkin::Scenario], background: &[Step], tags: &[String]) {
        for scenario in scenarios {
            let at = self.source.start_of_line(scenario.span.start);
            let end = self.source.start_of_line(scenario.span.end);
            // What else is wrong with it would come of the slip.
            if self.flaws.iter().any(|slip| (at.line..=end.line).contains(&slip.at.line)) {
                continue;
            }
            let tags = [tags, scenario.tags.as_slice()].concat();
            let mut steps = background.to_vec();
            steps.extend(self.steps(&scenario.steps));
            self.check_parts(scenario, at, &steps);
            let rows = if scenario.examples.is_empty() {
                examples::none(&steps, &mut self.flaws);
                vec![Row { example: None, tags, steps }]
            } else {
                examples::rows(self.source, scenario, &tags, &steps, &mut self.flaws)
            };
            self.scenarios.push(Scenario { title: scenario.name.trim().to_owned(), at, rows });
        }
    }

    fn check_parts(&mut self, scenario: &gherkin::Scenario, at: Pos, steps: &[Step]) {
        let name = scenario.name.trim();
        if name.is_empty() {
            self.flaws.push(Flaw::new(at, "the scenario has no title"));
        }
        for (kind, word) in [(StepType::When, "When"), (StepType::Then, "Then")] {
            if !steps.iter().any(|step| step.kind == kind) {
                self.flaws.push(Flaw::new(at, format!("the scenario \"{name}\" has no {word}")));
            }
        }
        let outline = scenario.keyword.contains("Outline") || scenario.keyword.contains("Template");
        if outline && scenario.examples.is_empty() {
            self.flaws.push(Flaw::new(at, format!("the scenario outline \"{name}\" has no Examples")));
        }
    }

    fn steps(&mut self, steps: &[gherkin::Step]) -> Vec<Step> {
        let mut all = vec![];
        for step in steps {
            let whole = self.source.line_at(step.span.end).trim();
            let body = whole.strip_prefix(step.keyword.trim()).unwrap_or_else(|| whole.clone()).trim();
            if step.docstring.is_some() {
                self.flaws.push(Flaw::new(whole.at(), "a step takes a table, not a text block"));
            }
            let table = step.table.as_ref().map(|table| self.source.table(table));
            all.push(Step { kind: step.ty, whole, body, table });
        }
        all
    }

    fn titles(&mut self) {
        for (index, scenario) in self.scenarios.iter().enumerate() {
            let earlier = self.scenarios.iter().take(index);
            if let Some(first) = earlier.into_iter().find(|earlier| earlier.title == scenario.title) {
                let message = format!("\"{}\" stands in line {} already", scenario.title, first.at.line);
                self.flaws.push(Flaw::new(scenario.at, message));
            }
        }
    }
}

impl Step {
    pub(crate) fn filled(&self, values: &[(String, Text)]) -> Self {
        self.changed(|text| text.filled(values))
    }

    fn changed(&self, change: impl Fn(&Text) -> Text) -> Self {
        let row = |row: &Vec<Text>| row.iter().map(&change).collect();
        Self {
            kind: self.kind,
            whole: change(&self.whole),
            body: change(&self.body),
            table: self.table.as_ref().map(|rows| rows.iter().map(row).collect()),
        }
    }

    /// The step itself, or, when it says `3 times …`, so many with `#` replaced by their number.
    ///
    /// # Errors
    /// When it says too many.
    pub fn repeated(&self) -> Result<Vec<Self>, Flaw> {
        let Some((count, rest)) = self.body.split_once(" times ") else { return Ok(vec![self.clone()]) };
        if count.as_str().is_empty() || !count.as_str().bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(vec![self.clone()]);
        }
        if self.kind != StepType::Given {
            return Err(Flaw::new(count.at(), "only a Given is repeated"));
        }
        match count.as_str().parse() {
            Ok(times @ 1..=TIMES_MAX) => {
                let step = Self { body: rest, ..self.clone() };
                Ok((1..=times)
                    .map(|number| Self {
                        whole: self.whole.clone(),
                        ..step.changed(|text| text.numbered(number))
                    })
                    .collect())
            }
            _ => Err(Flaw::new(count.at(), format!("a step is repeated 1 to {TIMES_MAX} times"))),
        }
    }

    /// Everything in it that somebody wrote.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &Text> {
        [&self.body].into_iter().chain(self.table.iter().flatten().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
@cart
Feature: Lines

  Background:
    Given a background

  # A comment.
  Scenario Outline: Adds <n>
    Given a cart:
      | Opened | {currency: <money>} |
    # Another one.
    When <n> \\| more
    Then it is so

    @slow
    Examples:
      | n | money |
      | 1 | a\\|b |
      | 22 | EUR  |
";

    #[test]
    fn examples_are_put_in_and_every_piece_keeps_its_place() {
        let (scenarios, flaws) = read(FILE);
        assert_eq!(flaws, []);
        let [scenario] = scenarios.as_slice() else { panic!() };
        assert_eq!((scenario.title.as_str(), scenario.at.line), ("Adds <n>", 8));
        let [first, second] = scenario.rows.as_slice() else { panic!() };
        assert_eq!(first.tags, ["cart", "slow"]);
        assert_eq!(second.example.as_deref(), Some("n: 22, money: EUR"));
        let bodies: Vec<_> = second.steps.iter().map(|step| step.body.as_str()).collect();
        assert_eq!(bodies, ["a background", "a cart:", "22 \\| more", "it is so"]);
        assert_eq!(second.steps[2].body.at(), Pos { line: 19, column: 9 });
        assert_eq!(second.steps[3].whole.at(), Pos { line: 13, column: 5 });
        let cell = &first.steps[1].table.as_ref().unwrap()[0][1];
        assert_eq!(cell.as_str(), "{currency: a|b}");
        assert_eq!(cell.place(12), Pos { line: 18, column: 14 });
    }

    fn flaws(text: &str) -> Vec<(u32, String)> {
        read(text).1.into_iter().map(|flaw| (flaw.at.line, flaw.message)).collect()
    }

    #[test]
    fn what_a_file_lacks_is_told() {
        assert_eq!(flaws(""), [(1, "the file is empty".into())]);
        assert_eq!(flaws("# only this\n\n"), [(1, "the file is empty".into())]);
        assert_eq!(flaws("Feature: a\n"), [(1, "the feature has no scenarios".into())]);
        let text = "Feature: a\n  Scenario: b\n    Given c\n";
        let told = flaws(text);
        assert_eq!(told[0], (2, "the scenario \"b\" has no When".into()));
        assert_eq!(told[1], (2, "the scenario \"b\" has no Then".into()));
    }

    #[test]
    fn a_mistyped_keyword_is_named() {
        let text = "Feature: a\n  Scenario: b\n    Given c\n    Whne d\n    Then e\n";
        assert_eq!(flaws(text), [(4, "\"Whne\" does not begin a step; did you mean \"When\"?".into())]);
        let text = "Feature: a\n  Scenario: b\n    Whne d\n    Then e\n";
        assert_eq!(flaws(text), [(3, "\"Whne\" does not begin a step; did you mean \"When\"?".into())]);
    }

    #[test]
    fn rows_titles_and_placeholders_are_checked() {
        let text = "Feature: a\n  Scenario: b\n    When c\n      | 1 | 2 |\n      | 3 |\n    Then e\n";
        assert_eq!(flaws(text), [(5, "the row has 1 cells where the first row has 2".into())]);
        let scenario = "  Scenario: b\n    When c\n    Then d\n";
        let text = format!("Feature: a\n{scenario}{scenario}");
        assert_eq!(flaws(&text), [(5, "\"b\" stands in line 2 already".into())]);
        let text = "Feature: a\n  Scenario Outline: b\n    When <sky>\n    Then d\n\n    Examples:\n      | sku |\n      | 1 |\n";
        assert_eq!(flaws(text), [(3, "the examples have no column \"sky\"; did you mean \"sku\"?".into())]);
    }
}
