//! `stock`: the whole stock at a moment, and whether the read model says the same.

use std::{cmp::Ordering, path::Path};

use domain::{AggregateType, value::LocationId};
use projections::analytics::history::{
    Asked, Compared, Figures, StockThen, Stocktaking, compare_stock, stock_then,
};
use serde_json::json;
use store::{
    history::Moment,
    ports::{Clock as _, Machine},
    rfc3339,
};

use super::{HistoryFailure, as_of, reached};
use crate::{
    cli::{Format, StockArgs},
    ground::Reading,
    out,
    progress::Progress,
    run::{FAILED, FINE, Failure},
    settings::Settings,
};

/// Lines of differences that a person is shown.
const LINES_MAX: usize = 20;

/// Prints the stock, or compares it.
pub async fn stock(settings: Settings, data: &Path, args: &StockArgs, json: bool) -> Result<u8, Failure> {
    let format = match (json, args.format) {
        (true, None | Some(Format::Json)) => Format::Json,
        (true, Some(_)) => return Err(HistoryFailure::TwoFormats.into()),
        (false, format) => format.unwrap_or(Format::Table),
    };
    let reading = Reading::prepare(settings, data, &|line| out::tell(line)).await?;
    let moment = match (args.at, args.at_position) {
        (Some(time), _) => Moment::Time(time),
        (None, Some(position)) => Moment::Position(position),
        (None, None) => Moment::Now,
    };
    let [moment] = reached(&reading, [moment]).await?;
    let asked = Asked { moment, sku: args.sku.as_ref(), now: Machine.now() };
    let progress = Progress::stderr("reading", "events");
    if asked.sku.is_none() {
        let all = reading.log.count_of_kind(AggregateType::InventoryItem).await?;
        progress.begin(u64::try_from(all).unwrap_or(0));
    }
    let begun_us = Machine.elapsed_us();
    let mut done = 0;
    let mut read = |events: u64| {
        if asked.sku.is_none() {
            progress.advance(events - done);
        }
        done = events;
    };
    if args.verify {
        let compared = compare_stock(&reading.log, &reading.read_models().await?, asked, &mut read).await?;
        return told_compared(&compared, format, took_ms(begun_us));
    }
    let taken = stock_then(&reading.log, asked, &mut read).await?;
    let took_ms = took_ms(begun_us);
    let skus = print(&taken, moment, args.location.as_ref(), (format, took_ms))?;
    let Stocktaking { events, at, passed_over, .. } = &taken;
    if format != Format::Json {
        // The rows are for whoever reads on; this is for who asked.
        let seconds = format!("{}.{:03}", took_ms / 1_000, took_ms % 1_000);
        out::tell(format_args!(
            "{skus} SKUs at {}, from {events} events in {seconds} s",
            rfc3339::format(*at)
        ));
        if *passed_over > 0 {
            out::tell(format_args!(
                "{passed_over} events do not count, although later ones of their SKU do: they occurred after the moment"
            ));
        }
    }
    let missing = match (&args.sku, &args.location) {
        (Some(sku), _) if taken.stock.is_empty() => {
            format!(
                "nothing had happened to the stock of {sku} by then; SKUs are written exactly as they are"
            )
        }
        (_, Some(place)) if skus == 0 => {
            format!("no unit lay in {place} then; places are written exactly as they are")
        }
        _ => return Ok(FINE),
    };
    out::tell(missing);
    Ok(FAILED)
}

fn took_ms(begun_us: i64) -> i64 {
    (Machine.elapsed_us() - begun_us) / 1_000
}

/// Prints the rows that are asked for, and says how many they are.
fn print(
    taken: &Stocktaking,
    moment: Moment,
    location: Option<&LocationId>,
    (format, took_ms): (Format, i64),
) -> Result<usize, Failure> {
    let there = |row: &StockThen| location.map(|place| row.locations.get(place).copied().unwrap_or(0));
    let rows: Vec<&StockThen> = taken.stock.iter().filter(|row| there(row) != Some(0)).collect();
    let skus = rows.len();
    match format {
        Format::Json => out::line(json!({
            "as_of": as_of(moment),
            "at": rfc3339::format(taken.at),
            "head": taken.head.position,
            "events": taken.events,
            "passed_over": taken.passed_over,
            "took_ms": took_ms,
            "location": location,
            "stock": rows,
        }))?,
        Format::Csv => {
            let mut csv = csv::Writer::from_writer(vec![]);
            let wrong = HistoryFailure::Csv;
            csv.write_record(HEADER.iter().chain(location.map(|_| &THERE))).map_err(wrong)?;
            for row in rows {
                let place = there(row).map(|units| units.to_string());
                csv.write_record(cells(row).iter().chain(&place)).map_err(wrong)?;
            }
            let text = csv.into_inner().map_err(|error| HistoryFailure::Csv(error.into_error().into()))?;
            out::text(String::from_utf8_lossy(&text))?;
        }
        Format::Table => {
            let width =
                rows.iter().map(|row| row.sku.chars().count()).max().unwrap_or(0).max(HEADER[0].len());
            let line = |cells: &[String; 5], place: Option<String>| {
                let [sku, figures @ ..] = cells;
                let figures: String = figures.iter().map(|figure| format!("  {figure:>11}")).collect();
                let place = place.map_or(String::new(), |place| format!("  {place:>11}"));
                format!("{sku:width$}{figures}{place}")
            };
            out::line(line(&HEADER.map(str::to_owned), location.map(|_| THERE.to_owned())))?;
            for row in rows {
                out::line(line(&cells(row), there(row).map(|units| units.to_string())))?;
            }
        }
    }
    Ok(skus)
}

const HEADER: [&str; 5] = ["sku", "on_hand", "reserved", "backordered", "available"];
/// The units that lie in the place that was named.
const THERE: &str = "there";

fn cells(row: &StockThen) -> [String; 5] {
    let figures = [row.on_hand, row.reserved, row.backordered, row.available];
    let [on_hand, reserved, backordered, available] = figures.map(|figure| figure.to_string());
    [row.sku.to_string(), on_hand, reserved, backordered, available]
}

fn told_compared(compared: &Compared, format: Format, took_ms: i64) -> Result<u8, Failure> {
    let Compared { position, head, skus, events, differing } = compared;
    let fine = differing.is_empty();
    if format == Format::Json {
        out::line(json!({
            "ok": fine, "position": position, "head": head, "skus": skus, "events": events, "took_ms": took_ms,
            "differing": differing,
        }))?;
        return Ok(if fine { FINE } else { FAILED });
    }
    for differs in differing.iter().take(LINES_MAX) {
        let (row, log) = (figures(differs.row.as_ref()), figures(differs.log.as_ref()));
        out::line(format_args!("{}: the read model says {row}, the log comes to {log}", differs.sku))?;
    }
    let more = differing.len().saturating_sub(LINES_MAX);
    if more > 0 {
        out::line(format_args!("… and {more} more: --json lists all"))?;
    }
    let behind = match head.cmp(position) {
        Ordering::Greater => format!(", {} behind the log's end", head - position),
        Ordering::Less | Ordering::Equal => String::new(),
    };
    let told = if fine { "no difference".to_owned() } else { format!("{} differ", differing.len()) };
    out::line(format_args!("{skus} SKUs at position {position}{behind}: {told} ({events} events)"))?;
    if !fine {
        out::line(
            "`daybook projections rebuild stock` builds it anew, and shows the same differences row by row",
        )?;
    }
    Ok(if fine { FINE } else { FAILED })
}

fn figures(figures: Option<&Figures>) -> String {
    figures.map_or("nothing".to_owned(), |of| {
        format!(
            "{} on hand, {} reserved, {} backordered (version {})",
            of.on_hand, of.reserved, of.backordered, of.version
        )
    })
}
