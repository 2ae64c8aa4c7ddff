//! What was held for somebody in a period, what became of it, and how long it was held.

use sqlx::PgConnection;

use super::{Asked, Cell, Column, Figure, Period, Plot, ReportError, Table, Unit, figure};

pub(super) const TABLES: &[&str] = &["ends", "per_day", "top_products"];

const ENDS: &[Column] = &[
    Column::new("became", "What happened", Unit::Text),
    Column::new("holds", "Times", Unit::Count),
    Column::new("units", "Units", Unit::Count),
    Column::new("held_ms_median", "Held, median", Unit::Millis),
    Column::new("held_ms_mean", "Held, mean", Unit::Millis),
    Column::new("held_ms_max", "Held, longest", Unit::Millis),
];

const PER_DAY: &[Column] = &[
    Column::new("day", "Day", Unit::Text),
    Column::new("made", "Made", Unit::Count),
    Column::new("made_units", "Units", Unit::Count),
    Column::new("allocated", "Allocated", Unit::Count),
    Column::new("released", "Released", Unit::Count),
    Column::new("expired", "Expired", Unit::Count),
];

const PRODUCTS: &[Column] = &[
    Column::new("sku", "SKU", Unit::Text),
    Column::new("made", "Made", Unit::Count),
    Column::new("made_units", "Units", Unit::Count),
    Column::new("unused", "Released or expired", Unit::Count),
];

const MADE: &str = "movement IN ('Reserved', 'Backordered')";

pub(super) async fn report(
    connection: &mut PgConnection,
    period: Period,
) -> Result<(Vec<Figure>, Vec<Table>), ReportError> {
    let days = period.sql();
    let ends = Asked {
        name: "ends",
        title: "What became of holds",
        note: "Held is the time from when a hold was made to when it ended, of those that ended in the period, whenever they \
               were made. Backordered units are held as well, and are not there yet. A hold that is released in parts is \
               counted each time.",
        columns: ENDS,
        plot: None,
        query: format!(
            "WITH holds AS (\n    \
                 SELECT day, movement, -(reserved + backordered) AS units, at,\n           \
                        max(at) FILTER (WHERE {MADE}) OVER (PARTITION BY sku, reservation ORDER BY sequence) AS made_at\n    \
                 FROM stock_movements WHERE reservation IS NOT NULL\n\
             )\n\
             SELECT CASE WHEN {MADE} THEN 'Made' ELSE movement END AS became, count(*) AS holds,\n       \
                    sum(abs(units))::bigint AS units,\n       \
                    percentile_disc(0.5) WITHIN GROUP (ORDER BY held_ms) AS held_ms_median,\n       \
                    round(avg(held_ms))::bigint AS held_ms_mean, max(held_ms) AS held_ms_max\n\
             FROM (SELECT *, CASE WHEN NOT {MADE} THEN (extract(epoch FROM at - made_at) * 1000)::bigint END AS held_ms\n      \
                   FROM holds) AS timed\n\
             WHERE day {days} AND movement IN ('Reserved', 'Backordered', 'Allocated', 'Released', 'Expired')\n\
             GROUP BY 1\n\
             ORDER BY array_position(ARRAY['Made', 'Allocated', 'Released', 'Expired'],\n                                  \
                 CASE WHEN min(movement) IN ('Reserved', 'Backordered') THEN 'Made' ELSE min(movement) END)"
        ),
    };
    let per_day = Asked {
        name: "per_day",
        title: "Holds over time",
        note: "",
        columns: PER_DAY,
        plot: Some(Plot {
            bars: &[1, 3, 4, 5],
            shows: "Holds that were made, and ended,",
            of: "holds",
            by_day: true,
        }),
        query: format!(
            "SELECT to_char(day, 'YYYY-MM-DD') AS day,\n       \
                    count(*) FILTER (WHERE {MADE}) AS made,\n       \
                    COALESCE(sum(reserved + backordered) FILTER (WHERE {MADE}), 0)::bigint AS made_units,\n       \
                    count(*) FILTER (WHERE movement = 'Allocated') AS allocated,\n       \
                    count(*) FILTER (WHERE movement = 'Released') AS released,\n       \
                    count(*) FILTER (WHERE movement = 'Expired') AS expired\n\
             FROM stock_movements\n\
             WHERE day {days} AND reservation IS NOT NULL\n\
             GROUP BY stock_movements.day\n\
             ORDER BY 1"
        ),
    };
    let products = Asked {
        name: "top_products",
        title: "Products that were held most",
        note: "",
        columns: PRODUCTS,
        plot: None,
        query: format!(
            "SELECT sku COLLATE \"C\" AS sku,\n       \
                    count(*) FILTER (WHERE {MADE}) AS made,\n       \
                    COALESCE(sum(reserved + backordered) FILTER (WHERE {MADE}), 0)::bigint AS made_units,\n       \
                    count(*) FILTER (WHERE movement IN ('Released', 'Expired')) AS unused\n\
             FROM stock_movements\n\
             WHERE day {days} AND reservation IS NOT NULL\n\
             GROUP BY 1\n\
             ORDER BY made_units DESC, 1\n\
             LIMIT 20"
        ),
    };
    let ends = ends.of(&mut *connection).await?;
    let per_day = per_day.of(&mut *connection).await?;
    let products = products.of(&mut *connection).await?;
    let median = ends.rows.iter().find(|row| row.first() == Some(&Cell::Text("Allocated".to_owned())));
    let median = match median.and_then(|row| row.get(3)) {
        Some(Cell::Number(median)) => Some(*median),
        _ => None,
    };
    let figures = vec![
        figure("made", "Holds made", Unit::Count, per_day.sum(1)),
        figure("made_units", "Units held", Unit::Count, per_day.sum(2)),
        figure("allocated", "Allocated", Unit::Count, per_day.sum(3)),
        figure("released", "Released", Unit::Count, per_day.sum(4)),
        figure("expired", "Expired", Unit::Count, per_day.sum(5)),
        figure("held_ms_median", "Held until allocated, median", Unit::Millis, median),
    ];
    Ok((figures, vec![ends, per_day, products]))
}
