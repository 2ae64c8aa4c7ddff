//! A report as one page that needs nothing else: plots are drawn into it, and every text that comes from outside is escaped.

use std::cmp::Reverse;

use askama::Template;
use projections::analytics::reports::{self, About, Cell, Report, Table, Unit};
use store::rfc3339;

use super::{ReportFailure, plot, words};

/// So many rows of a table are shown; all are in the other formats.
const ROWS_MAX: usize = 200;

#[derive(Template)]
#[template(path = "report.html")]
struct Page {
    title: &'static str,
    days: String,
    currency: Option<String>,
    version: &'static str,
    schema_note: String,
    position: i64,
    made_at: String,
    archived: Option<String>,
    nothing: bool,
    /// How far the days have come, where they are not over.
    so_far: Option<&'static str>,
    /// Each with its number, and what a reader has to know of it.
    figures: Vec<(&'static str, String, String)>,
    tables: Vec<Shown>,
}

struct Shown {
    name: &'static str,
    title: &'static str,
    note: &'static str,
    query: String,
    plot: Option<String>,
    caption: String,
    legend: Vec<(String, &'static str)>,
    /// What stands above the rows, where the plot shows something else.
    rows_title: &'static str,
    heads: Vec<Text>,
    rows: Vec<Vec<Text>>,
    left_out: usize,
}

/// What is printed, and how it stands: numbers on the right, days in one line.
struct Text {
    text: String,
    class: &'static str,
}

impl Text {
    fn new(text: String, unit: Unit) -> Self {
        let is_day = text.get(..10).is_some_and(|day| reports::day(day).is_ok());
        let class = match unit {
            Unit::Text if is_day => "d",
            Unit::Text => "",
            Unit::Count | Unit::Money | Unit::Millis | Unit::BasisPoints => "n",
        };
        Self { text, class }
    }
}

/// The page.
pub fn page(report: &Report, schema: &str) -> Result<String, ReportFailure> {
    let currency = report.currency;
    let figure = |figure: &projections::analytics::reports::Figure| {
        let number = words::number(figure.value, figure.unit, currency);
        let of = currency.filter(|_| figure.unit == Unit::Money && figure.value.is_some());
        let told = of.map_or(number.clone(), |currency| format!("{number} {currency}"));
        (figure.title, told, figure.note.to_string())
    };
    let (first, last) = (report.period.first(), report.period.last());
    let page = Page {
        title: title(report.about),
        days: if first == last { first.to_string() } else { format!("{first} to {last}") },
        currency: currency.map(|currency| currency.to_string()),
        version: env!("CARGO_PKG_VERSION"),
        schema_note: format!("SET search_path = {schema}_analysis;"),
        position: report.position,
        made_at: rfc3339::format(report.now),
        archived: (report.archived > 0).then(|| words::archived(report.archived)),
        nothing: report.figures.iter().all(|figure| figure.value.unwrap_or(0) == 0),
        so_far: so_far(report),
        figures: report.figures.iter().map(figure).collect(),
        tables: report.tables.iter().map(|table| shown(table, report)).collect::<Result<_, _>>()?,
    };
    Ok(page.render()?)
}

/// Says that something may still come.
fn so_far(report: &Report) -> Option<&'static str> {
    let today = rfc3339::moment(report.now).date();
    if report.period.first() > today {
        Some("These days are still to come")
    } else {
        (report.period.last() >= today).then_some("These days are not over")
    }
}

const fn title(about: About) -> &'static str {
    match about {
        About::Sales(_) => "Sales",
        About::Stock => "Stock",
        About::Funnel => "From cart to return",
        About::Reservations => "Reservations",
    }
}

fn shown(table: &Table, report: &Report) -> Result<Shown, ReportFailure> {
    let currency = report.currency;
    let drawn = table.plot.map(|plot| plot::drawn(table, plot, report)).transpose()?.flatten();
    let rows_title =
        if table.plot.is_some_and(|plot| plot.by_day) && drawn.is_some() { "By day" } else { "" };
    let (plot, caption) = drawn.map(|drawn| (drawn.svg, drawn.caption)).unzip();
    let legend = table.plot.filter(|plot| plot.bars.len() > 1).into_iter().flat_map(|plot| {
        let columns = plot.bars.iter().filter_map(|nth| table.columns.get(*nth));
        columns.enumerate().map(|(nth, column)| (plot::colour(nth), column.title))
    });
    let heads = table.columns.iter().map(|column| {
        let of = currency.filter(|_| column.unit == Unit::Money);
        let text = of.map_or(column.title.to_owned(), |currency| format!("{}, {currency}", column.title));
        // A title is no day, whatever it looks like.
        Text { text, class: if column.unit == Unit::Text { "" } else { "n" } }
    });
    let mut rows: Vec<&Vec<Cell>> = table.rows.iter().collect();
    if let Some(nth) = table.first {
        rows.sort_by_key(|row| match row.get(nth) {
            Some(Cell::Number(number)) => Reverse(*number),
            _ => Reverse(i64::MIN),
        });
    }
    let rows = rows.into_iter().take(ROWS_MAX).map(|row| {
        let cells = row.iter().zip(table.columns);
        cells.map(|(cell, column)| Text::new(words::cell(cell, column.unit, currency), column.unit)).collect()
    });
    Ok(Shown {
        name: table.name,
        title: table.title,
        note: table.note,
        query: table.query.clone(),
        plot,
        caption: caption.unwrap_or_default(),
        rows_title,
        legend: legend.collect(),
        heads: heads.collect(),
        rows: rows.collect(),
        left_out: table.rows.len().saturating_sub(ROWS_MAX),
    })
}
