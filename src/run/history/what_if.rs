//! `what-if`: what other rules would have come to.

use std::{collections::BTreeMap, path::Path};

use domain::value::Money;
use serde_json::json;
use store::rfc3339;

use super::HistoryFailure;
use crate::{
    cli::WhatIfArgs,
    ground::Reading,
    out,
    progress::Progress,
    run::{FAILED, FINE, Failure},
    settings::Settings,
    what_if::{self, Difference, NEVER, Report, Rules, Totals},
};

/// Differences that a person is shown.
const LINES_MAX: usize = 20;

/// Decides again, and prints what comes out differently.
pub async fn what_if(settings: Settings, data: &Path, args: &WhatIfArgs, json: bool) -> Result<u8, Failure> {
    let rules = Rules::load(&args.rules, settings.pricing.as_deref());
    let rules = rules.map_err(|error| HistoryFailure::WhatIf(error.into()))?;
    let reading = Reading::prepare(settings, data, &|line| out::tell(line)).await?;
    let progress = Progress::stderr("deciding again", "events");
    let mut tell = |done: i64, of: i64| {
        progress.at(u64::try_from(done).unwrap_or(0), u64::try_from(of).unwrap_or(0));
    };
    let report = what_if::what_if(&reading.log, &rules, &mut tell).await.map_err(HistoryFailure::from)?;
    let status = if report.differences.is_empty() { FINE } else { FAILED };
    if json {
        let mut told = serde_json::to_value(&report)?;
        told["ok"] = report.differences.is_empty().into();
        told["never_decided_again"] = json!(NEVER);
        out::line(told)?;
    } else {
        print(&report)?;
    }
    Ok(status)
}

fn print(report: &Report) -> Result<(), Failure> {
    let Report { head, again, was, then, differences, taken_as_it_was } = report;
    for difference in differences.iter().take(LINES_MAX) {
        out::line(sentence(difference))?;
    }
    let more = differences.len().saturating_sub(LINES_MAX);
    if more > 0 {
        out::line(format_args!("… and {more} more: --json lists all"))?;
    }
    out::line(format_args!("{:22} {:>16} {:>16}", "", "was", "would have been"))?;
    for (name, of) in FIGURES {
        out::line(format_args!("{name:22} {:>16} {:>16}", of(was), of(then)))?;
    }
    for (currency, (was, then)) in revenue(was, then) {
        let shown = |amount: i64| {
            currency
                .parse()
                .map_or_else(|_| amount.to_string(), |currency| Money::new(amount, currency).decimal())
        };
        let name = format!("revenue in {currency}");
        out::line(format_args!("{name:22} {:>16} {:>16}", shown(was), shown(then)))?;
    }
    out::line(format_args!(
        "decided again up to position {head}: {} checkouts, {} reservations, {} claims, {} others; {} come out differently",
        again.checkouts,
        again.reservations,
        again.claims,
        again.others,
        differences.len()
    ))?;
    for (what, count) in taken_as_it_was {
        out::line(format_args!("taken as it was: {count} {what}"))?;
    }
    for what in NEVER {
        out::line(format_args!("never decided again: {what}"))?;
    }
    Ok(())
}

type Figure = (&'static str, fn(&Totals) -> u64);

const FIGURES: [Figure; 4] = [
    ("checkouts accepted", |of| of.accepted),
    ("checkouts refused", |of| of.refused),
    ("stock-outs", |of| of.stock_outs),
    ("orders paid", |of| of.sold),
];

/// By currency.
fn revenue<'t>(was: &'t Totals, then: &'t Totals) -> BTreeMap<&'t str, (i64, i64)> {
    let mut both: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for (currency, amount) in &was.revenue {
        both.entry(currency).or_default().0 = *amount;
    }
    for (currency, amount) in &then.revenue {
        both.entry(currency).or_default().1 = *amount;
    }
    both
}

fn sentence(difference: &Difference) -> String {
    let Difference { position, at, decision, order, sku, was, then, total_was, total_then } = difference;
    let about = match (order, sku) {
        (Some(order), _) => format!(" of order {order}"),
        (None, Some(sku)) => format!(" on {sku}"),
        (None, None) => String::new(),
    };
    let with = |outcome: &str, total: &Option<Money>| match total {
        Some(total) => format!("{outcome} at {} {}", total.decimal(), total.currency),
        None => outcome.to_owned(),
    };
    let (was, then) = (with(was, total_was), with(then, total_then));
    format!("{}  position {position}  {decision}{about}: {was}, would have been {then}", rfc3339::format(*at))
}
