//! What was on hand at the end of a period, what came and left in it, and what ran out.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use store::history::Moment;

use super::{Asked, Cell, Column, Figure, Period, Plot, ReportError, Sources, Table, Unit, figure};
use crate::analytics::history::{self, StockThen, stock_then};

pub(super) const TABLES: &[&str] = &["per_day", "movements", "at_the_end", "stock_outs"];

const AT_THE_END: &[Column] = &[
    Column::new("sku", "SKU", Unit::Text),
    Column::new("title", "Product", Unit::Text),
    Column::new("on_hand", "On hand", Unit::Count),
    Column::new("reserved", "Reserved", Unit::Count),
    Column::new("backordered", "Backordered", Unit::Count),
    Column::new("available", "Available", Unit::Count),
];

const PER_DAY: &[Column] = &[
    Column::new("day", "Day", Unit::Text),
    Column::new("came", "Units that came", Unit::Count),
    Column::new("left", "Units that left", Unit::Count),
    Column::new("sold", "Of these to orders", Unit::Count),
    Column::new("reserved", "Units reserved", Unit::Count),
];

const MOVEMENTS: &[Column] = &[
    Column::new("movement", "Movement", Unit::Text),
    Column::new("reason", "Reason", Unit::Text),
    Column::new("times", "Times", Unit::Count),
    Column::new("on_hand", "On hand", Unit::Count),
    Column::new("reserved", "Reserved", Unit::Count),
    Column::new("backordered", "Backordered", Unit::Count),
];

const OUT: &[Column] = &[
    Column::new("sku", "SKU", Unit::Text),
    Column::new("from", "Since", Unit::Text),
    Column::new("until", "Until", Unit::Text),
    Column::new("lasted_ms", "Lasted", Unit::Millis),
];

pub(super) async fn report(
    connection: &mut PgConnection,
    from: Sources<'_>,
    period: Period,
) -> Result<(Vec<Figure>, Vec<Table>), ReportError> {
    let days = period.sql();
    let at_the_end = at_the_end(&mut *connection, from, period).await?;
    let per_day = Asked {
        name: "per_day",
        title: "Movements over time",
        note: "What was corrected, counted, returned and received came or left; what went to orders left.",
        columns: PER_DAY,
        plot: Some(Plot { bars: &[1, 2], shows: "Units that came and left", of: "units", by_day: true }),
        query: format!(
            "SELECT to_char(day, 'YYYY-MM-DD') AS day,\n       \
                    COALESCE(sum(on_hand) FILTER (WHERE on_hand > 0), 0)::bigint AS came,\n       \
                    COALESCE(-sum(on_hand) FILTER (WHERE on_hand < 0), 0)::bigint AS \"left\",\n       \
                    COALESCE(-sum(on_hand) FILTER (WHERE movement = 'Allocated'), 0)::bigint AS sold,\n       \
                    COALESCE(sum(reserved) FILTER (WHERE movement IN ('Reserved', 'Backordered')), 0)::bigint AS reserved\n\
             FROM stock_movements\n\
             WHERE day {days}\n\
             GROUP BY stock_movements.day\n\
             ORDER BY 1"
        ),
    };
    let movements = Asked {
        name: "movements",
        title: "Movements by kind",
        note: "The sum of what each changed: above zero is more, below zero less.",
        columns: MOVEMENTS,
        plot: None,
        query: format!(
            "SELECT movement, reason, count(*) AS times, sum(on_hand)::bigint AS on_hand,\n       \
                    sum(reserved)::bigint AS reserved, sum(backordered)::bigint AS backordered\n\
             FROM stock_movements\n\
             WHERE day {days}\n\
             GROUP BY movement, reason\n\
             ORDER BY movement COLLATE \"C\", reason COLLATE \"C\" NULLS FIRST"
        ),
    };
    let out = Asked {
        name: "stock_outs",
        title: "Ran out",
        note: "A SKU has run out when nothing of it can be reserved any more, and had not before: all units are gone, held, or \
               promised. What was booked late counts when it happened. Without an end it still had at the end of the period.",
        columns: OUT,
        plot: None,
        query: format!(
            "WITH available AS (\n    \
                 SELECT sku, at, day, sequence, on_hand - reserved - backordered AS change,\n           \
                        sum(on_hand - reserved - backordered) OVER (PARTITION BY sku ORDER BY at, sequence) AS available\n    \
                 FROM stock_movements WHERE day <= '{last}'\n\
             ), turns AS (\n    \
                 SELECT sku, at, day, available, lead(at) OVER (PARTITION BY sku ORDER BY at, sequence) AS until\n    \
                 FROM available WHERE (available > 0) <> (available - change > 0)\n\
             )\n\
             SELECT sku, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') AS \"from\",\n       \
                    to_char(until AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') AS until,\n       \
                    (extract(epoch FROM until - at) * 1000)::bigint AS lasted_ms\n\
             FROM turns\n\
             WHERE available <= 0 AND day {days}\n\
             ORDER BY turns.at, sku COLLATE \"C\"",
            last = period.last(),
        ),
    };
    let per_day = per_day.of(&mut *connection).await?;
    let movements = movements.of(&mut *connection).await?;
    let out = out.of(&mut *connection).await?;
    let some = |nth: usize| {
        let some =
            at_the_end.rows.iter().filter(|row| matches!(row.get(nth), Some(Cell::Number(1..)))).count();
        i64::try_from(some).unwrap_or(i64::MAX)
    };
    let times = i64::try_from(out.rows.len()).unwrap_or(i64::MAX);
    let [on_hand, reserved, backordered, available, skus] =
        if period.end() <= from.now { AT_ITS_END } else { AS_OF_NOW };
    let figures = vec![
        figure("on_hand", on_hand, Unit::Count, at_the_end.sum(2)),
        figure("reserved", reserved, Unit::Count, at_the_end.sum(3)),
        figure("backordered", backordered, Unit::Count, at_the_end.sum(4)),
        figure("available", available, Unit::Count, at_the_end.sum(5)),
        figure("skus_available", skus, Unit::Count, some(5)),
        figure("came", "Units that came", Unit::Count, per_day.sum(1)),
        figure("left", "Units that left", Unit::Count, per_day.sum(2)),
        figure("stock_outs", "Times that one ran out", Unit::Count, times),
    ];
    Ok((figures, vec![per_day, movements, at_the_end, out]))
}

/// What figures are called when the period is over.
const AT_ITS_END: [&str; 5] = [
    "On hand at the end",
    "Reserved at the end",
    "Backordered at the end",
    "Available at the end",
    "SKUs available at the end",
];
/// And when it is not.
const AS_OF_NOW: [&str; 5] =
    ["On hand now", "Reserved now", "Backordered now", "Available now", "SKUs available now"];

/// What each SKU is called: as it was sold last, or as the catalogue has it.
const NAMES: &str = "\
    SELECT sku COLLATE \"C\" AS sku, (array_agg(title ORDER BY at DESC, position DESC))[1] AS title\n\
    FROM (SELECT variant ->> 'sku' AS sku, event ->> 'title' AS title, occurred_at AS at, position\n      \
          FROM happened CROSS JOIN LATERAL json_array_elements(event -> 'variants') AS variant\n      \
          WHERE aggregate_type = 'product' AND event_type = 'Listed'\n      \
          UNION ALL\n      \
          SELECT sku, title, at, position FROM order_lines WHERE what = 'goods' AND title IS NOT NULL) AS named\n\
    GROUP BY 1";

/// Every SKU's stock, folded from the log by the domain's own fold: what `daybook stock` shows.
async fn at_the_end(
    connection: &mut PgConnection,
    Sources { log, now, .. }: Sources<'_>,
    period: Period,
) -> Result<Table, ReportError> {
    let names: Vec<(String, String)> = sqlx::query_as(NAMES).fetch_all(connection).await?;
    let mut names: BTreeMap<String, String> = names.into_iter().collect();
    let end = period.end().min(now);
    let asked = history::Asked { moment: Moment::Time(end), sku: None, now };
    let taken = stock_then(log, asked, &mut |_| {}).await?;
    let row = |then: StockThen| {
        let StockThen { sku, on_hand, reserved, backordered, available, .. } = then;
        let name = names.remove(&*sku).map_or(Cell::Empty, Cell::Text);
        let figures = [on_hand, reserved, backordered, available].map(Cell::Number);
        [Cell::Text(String::from(&*sku)), name].into_iter().chain(figures).collect()
    };
    let at = store::rfc3339::format(end);
    let title =
        if end < now { "Stock at the end of the period" } else { "Stock as of now: the period is not over" };
    Ok(Table {
        name: "at_the_end",
        title,
        note: "Folded from each SKU's events, those with most on hand first. What was held until a time that was over by then \
               does not count as reserved.",
        query: format!("daybook stock --at {at} --format csv\n\n-- and what products are called:\n{NAMES}"),
        columns: AT_THE_END,
        plot: None,
        first: Some(2),
        rows: taken.stock.into_iter().map(row).collect(),
    })
}
