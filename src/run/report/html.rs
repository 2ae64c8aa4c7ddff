//! A report as one page that needs nothing else: plots are drawn into it, and every text that comes from outside is escaped.

use askama::Template;
use projections::analytics::reports::{About, Report, Table, Unit};
use store::ports::{Clock as _, Machine};

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
    figures: Vec<(&'static str, String)>,
    tables: Vec<Shown>,
}

struct Shown {
    name: &'static str,
    title: &'static str,
    note: &'static str,
    query: String,
    plot: Option<String>,
    legend: Vec<(String, &'static str)>,
    heads: Vec<Text>,
    rows: Vec<Vec<Text>>,
    left_out: usize,
}

/// What is printed, and whether it stands on the right as numbers do.
struct Text {
    text: String,
    right: bool,
}

/// The page.
pub fn page(report: &Report, schema: &str) -> Result<String, ReportFailure> {
    let currency = report.currency;
    let figure = |figure: &projections::analytics::reports::Figure| {
        let number = words::number(figure.value, figure.unit, currency);
        let of = currency.filter(|_| figure.unit == Unit::Money && figure.value.is_some());
        (figure.title, of.map_or(number.clone(), |currency| format!("{number} {currency}")))
    };
    let (first, last) = (report.period.first(), report.period.last());
    let page = Page {
        title: title(report.about),
        days: if first == last { first.to_string() } else { format!("{first} to {last}") },
        currency: currency.map(|currency| currency.to_string()),
        version: env!("CARGO_PKG_VERSION"),
        schema_note: format!("SET search_path = {schema}_analysis;"),
        position: report.position,
        made_at: store::rfc3339::format(Machine.now()),
        archived: (report.archived > 0).then(|| words::archived(report.archived)),
        nothing: report.figures.iter().all(|figure| figure.value.unwrap_or(0) == 0),
        figures: report.figures.iter().map(figure).collect(),
        tables: report.tables.iter().map(|table| shown(table, report)).collect::<Result<_, _>>()?,
    };
    Ok(page.render()?)
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
    let plot = table.plot.map(|plot| plot::svg(table, plot, currency)).transpose()?.flatten();
    let legend = table.plot.filter(|plot| plot.bars.len() > 1).into_iter().flat_map(|plot| {
        let columns = plot.bars.iter().filter_map(|nth| table.columns.get(*nth));
        columns.enumerate().map(|(nth, column)| (plot::colour(nth), column.title))
    });
    let heads = table.columns.iter().map(|column| {
        let of = currency.filter(|_| column.unit == Unit::Money);
        let text = of.map_or(column.title.to_owned(), |currency| format!("{}, {currency}", column.title));
        Text { text, right: column.unit != Unit::Text }
    });
    let rows = table.rows.iter().take(ROWS_MAX).map(|row| {
        let cells = row.iter().zip(table.columns);
        cells
            .map(|(cell, column)| Text {
                text: words::cell(cell, column.unit, currency),
                right: column.unit != Unit::Text,
            })
            .collect()
    });
    Ok(Shown {
        name: table.name,
        title: table.title,
        note: table.note,
        query: table.query.clone(),
        plot,
        legend: legend.collect(),
        heads: heads.collect(),
        rows: rows.collect(),
        left_out: table.rows.len().saturating_sub(ROWS_MAX),
    })
}
