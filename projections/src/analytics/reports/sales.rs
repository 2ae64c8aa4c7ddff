//! What was sold and credited: by day, by country, by product.

use domain::value::Currency;
use sqlx::PgConnection;

use super::{Asked, Cell, Column, Figure, Period, Plot, ReportError, Table, Unit, figure, ratio};

pub(super) const TABLES: &[&str] = &["per_day", "per_country", "top_products", "called_off"];

const PER_DAY: &[Column] = &[
    Column::new("day", "Day", Unit::Text),
    Column::new("orders", "Orders", Unit::Count),
    Column::new("units", "Units", Unit::Count),
    Column::new("sold_minor", "Sold", Unit::Money),
    Column::new("credit_notes", "Credit notes", Unit::Count),
    Column::new("credited_minor", "Credited", Unit::Money),
];

const PER_COUNTRY: &[Column] = &[
    Column::new("country", "Country", Unit::Text),
    Column::new("orders", "Orders", Unit::Count),
    Column::new("units", "Units", Unit::Count),
    Column::new("sold_minor", "Sold", Unit::Money),
    Column::new("credit_notes", "Credit notes", Unit::Count),
    Column::new("credited_minor", "Credited", Unit::Money),
];

const PRODUCTS: &[Column] = &[
    Column::new("sku", "SKU", Unit::Text),
    Column::new("title", "Product", Unit::Text),
    Column::new("units", "Units", Unit::Count),
    Column::new("sold_minor", "Sold, at its prices", Unit::Money),
    Column::new("credited_units", "Units credited", Unit::Count),
];

const CALLED_OFF: &[Column] =
    &[Column::new("orders", "Orders", Unit::Count), Column::new("minor", "Worth", Unit::Money)];

/// So many products are listed.
const PRODUCTS_MAX: usize = 20;

/// The currency that is meant: the one that was named, or the only one there is; `None` where nothing was sold.
pub(super) async fn currency(
    connection: &mut PgConnection,
    period: Period,
    named: Option<Currency>,
) -> Result<Option<Currency>, ReportError> {
    if named.is_some() {
        return Ok(named);
    }
    let days = period.sql();
    let query = format!("SELECT DISTINCT currency COLLATE \"C\" FROM documents WHERE day {days} ORDER BY 1");
    let found: Vec<String> = sqlx::query_scalar(&query).fetch_all(connection).await?;
    match &found[..] {
        [] => Ok(None),
        // What stands in an event is one: it was read from one.
        [only] => Ok(only.parse().ok()),
        several => Err(ReportError::Currencies(several.join(", "))),
    }
}

pub(super) async fn report(
    connection: &mut PgConnection,
    period: Period,
    currency: Option<Currency>,
) -> Result<(Vec<Figure>, Vec<Table>), ReportError> {
    let which = match currency {
        Some(currency) => format!("day {} AND currency = '{currency}'", period.sql()),
        None => format!("day {}", period.sql()),
    };
    let per_day = Asked {
        name: "per_day",
        title: "Over time",
        note: "Orders count on the day on which they were placed, whether they are paid or not, as they stand now: edited, without the units that were called \
               off, and not at all when they were called off whole. Credit notes count on the day on which they were issued. \
               Units are those of goods and charges. Amounts hold charges, discounts and taxes.",
        columns: PER_DAY,
        plot: Some(Plot { bars: &[3, 5], shows: "Sold and credited", of: "", by_day: true }),
        query: by("day", "to_char(d.day, 'YYYY-MM-DD')", &which, "1"),
    };
    let per_country = Asked {
        name: "per_country",
        title: "By country",
        note: "As the order or the credit note names it.",
        columns: PER_COUNTRY,
        plot: Some(Plot { bars: &[3], shows: "Sold by country", of: "", by_day: false }),
        query: by("country", "COALESCE(d.country, 'not told') COLLATE \"C\"", &which, "sold_minor DESC, 1"),
    };
    let products = Asked {
        name: "top_products",
        title: "Products that sold most",
        note: "Goods on orders, at the prices of their lines: without charges, discounts, and taxes that come on top. Units that \
               were credited are told beside them, and not taken off.",
        columns: PRODUCTS,
        plot: Some(Plot {
            bars: &[3],
            shows: "Sold by product, at the prices of its lines",
            of: "",
            by_day: false,
        }),
        query: format!(
            "SELECT sku COLLATE \"C\" AS sku,\n       \
                    (array_agg(title ORDER BY at DESC, position DESC, line DESC))[1] AS title,\n       \
                    sum(quantity - called_off) FILTER (WHERE kind = 'sale')::bigint AS units,\n       \
                    sum((quantity - called_off) * unit_minor) FILTER (WHERE kind = 'sale')::bigint AS sold_minor,\n       \
                    COALESCE(sum(quantity) FILTER (WHERE kind = 'credit_note'), 0)::bigint AS credited_units\n\
             FROM order_lines\n\
             WHERE {which} AND what = 'goods'\n\
             GROUP BY 1\n\
             HAVING sum(quantity - called_off) FILTER (WHERE kind = 'sale') > 0\n\
             ORDER BY sold_minor DESC, 1\n\
             LIMIT {PRODUCTS_MAX}"
        ),
    };
    let called_off = Asked {
        name: "called_off",
        title: "Called off",
        note: "Orders of the period that were called off whole, which are counted nowhere else here.",
        columns: CALLED_OFF,
        plot: None,
        query: format!(
            "SELECT count(*) AS orders, COALESCE(sum(total_minor), 0)::bigint AS minor\n\
             FROM documents\n\
             WHERE {which} AND called_off_at IS NOT NULL"
        ),
    };
    let mut tables = vec![];
    for asked in [per_day, per_country, products, called_off] {
        tables.push(asked.of(&mut *connection).await?);
    }
    Ok((figures(&tables), tables))
}

/// Documents and the units on them, by a column of both.
fn by(column: &str, told: &str, which: &str, order: &str) -> String {
    format!(
        "WITH units AS (\n    \
             SELECT {column}, sum(quantity - called_off)::bigint AS units\n    \
             FROM order_lines WHERE {which} AND kind = 'sale' GROUP BY 1\n\
         ), sums AS (\n    \
             SELECT {column},\n           \
                    count(*) FILTER (WHERE kind = 'sale') AS orders,\n           \
                    COALESCE(sum(total_minor - called_off_minor) FILTER (WHERE kind = 'sale'), 0)::bigint AS sold_minor,\n           \
                    count(*) FILTER (WHERE kind = 'credit_note') AS credit_notes,\n           \
                    COALESCE(sum(total_minor) FILTER (WHERE kind = 'credit_note'), 0)::bigint AS credited_minor\n    \
             FROM documents WHERE {which} AND called_off_at IS NULL GROUP BY 1\n\
         )\n\
         SELECT {told} AS {column}, orders, COALESCE(units, 0) AS units, sold_minor, credit_notes, credited_minor\n\
         FROM sums d LEFT JOIN units u ON u.{column} IS NOT DISTINCT FROM d.{column}\n\
         ORDER BY {order}"
    )
}

fn figures(tables: &[Table]) -> Vec<Figure> {
    let [per_day, .., called_off] = tables else { return vec![] };
    let [orders, units, sold, credit_notes, credited] = [1, 2, 3, 4, 5].map(|nth| per_day.sum(nth));
    // Of several that are alike, the first.
    let best = per_day.rows.iter().rev().filter_map(|row| match (row.first(), row.get(3)) {
        (Some(Cell::Text(day)), Some(Cell::Number(sold))) => Some((*sold, day.clone())),
        _ => None,
    });
    let (best, best_day) = best.max_by_key(|(sold, _)| *sold).unzip();
    vec![
        figure("sold_minor", "Sold", Unit::Money, sold)
            .noted("Orders that were placed, whether they are paid or not, less what was called off"),
        figure("orders", "Orders", Unit::Count, orders),
        figure("units", "Units", Unit::Count, units),
        figure("average_order_minor", "Average order", Unit::Money, ratio(sold, 1, orders))
            .noted("Sold, by orders"),
        figure("credited_minor", "Credited", Unit::Money, credited),
        figure("credit_notes", "Credit notes", Unit::Count, credit_notes),
        figure("returns_rate", "Returns rate", Unit::BasisPoints, ratio(credited, 10_000, sold))
            .noted("Credited, by sold"),
        figure("best_day_minor", "Best day", Unit::Money, best).noted(best_day.unwrap_or_default()),
        figure("called_off_orders", "Orders called off", Unit::Count, called_off.sum(0)),
    ]
}
