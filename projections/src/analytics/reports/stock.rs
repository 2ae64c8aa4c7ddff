//! What was on hand at the end of a period, what came and left in it, and what ran out.

use sqlx::PgConnection;
use store::history::Moment;

use super::{Asked, Cell, Column, Figure, Period, Plot, ReportError, Sources, Table, Unit, figure};
use crate::analytics::history::{self, StockThen, stock_then};

const AT_THE_END: &[Column] = &[
    Column::new("sku", "SKU", Unit::Text),
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
    let at_the_end = at_the_end(from, period).await?;
    let per_day = Asked {
        name: "per_day",
        title: "Movements by day",
        note: "What was corrected, counted, returned and received came or left; what went to orders left.",
        columns: PER_DAY,
        plot: Some(Plot { bars: &[1, 2], of: "units", by_day: true }),
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
               promised. Without an end it still had at the end of the period.",
        columns: OUT,
        plot: None,
        query: format!(
            "WITH available AS (\n    \
                 SELECT sku, at, day, sequence, on_hand - reserved - backordered AS change,\n           \
                        sum(on_hand - reserved - backordered) OVER (PARTITION BY sku ORDER BY sequence) AS available\n    \
                 FROM stock_movements WHERE day <= '{last}'\n\
             ), turns AS (\n    \
                 SELECT sku, at, day, available, lead(at) OVER (PARTITION BY sku ORDER BY sequence) AS until\n    \
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
    let figures = vec![
        figure("on_hand", "On hand at the end", Unit::Count, at_the_end.sum(1)),
        figure("reserved", "Reserved at the end", Unit::Count, at_the_end.sum(2)),
        figure("backordered", "Backordered at the end", Unit::Count, at_the_end.sum(3)),
        figure("available", "Available at the end", Unit::Count, at_the_end.sum(4)),
        figure("skus_available", "SKUs that are available", Unit::Count, some(4)),
        figure("came", "Units that came", Unit::Count, per_day.sum(1)),
        figure("left", "Units that left", Unit::Count, per_day.sum(2)),
        figure(
            "stock_outs",
            "Times that one ran out",
            Unit::Count,
            i64::try_from(out.rows.len()).unwrap_or(i64::MAX),
        ),
    ];
    Ok((figures, vec![per_day, movements, at_the_end, out]))
}

/// Every SKU's stock, folded from the log by the domain's own fold: what `daybook stock` shows.
async fn at_the_end(Sources { log, now, .. }: Sources<'_>, period: Period) -> Result<Table, ReportError> {
    let end = period.end().min(now);
    let asked = history::Asked { moment: Moment::Time(end), sku: None, now };
    let taken = stock_then(log, asked, &mut |_| {}).await?;
    let row = |then: StockThen| {
        let StockThen { sku, on_hand, reserved, backordered, available, .. } = then;
        let figures = [on_hand, reserved, backordered, available].map(Cell::Number);
        [Cell::Text(sku.into())].into_iter().chain(figures).collect()
    };
    let at = store::rfc3339::format(end);
    Ok(Table {
        name: "at_the_end",
        title: "Stock at the end of the period",
        note: "Folded from each SKU's events. What was held until a time that was over by then does not count as reserved.",
        query: format!("daybook stock --at {at} --format csv"),
        columns: AT_THE_END,
        plot: None,
        rows: taken.stock.into_iter().map(row).collect(),
    })
}
