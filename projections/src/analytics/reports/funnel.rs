//! How far the carts and orders came that began in a period, and how long each step took.

use sqlx::PgConnection;

use super::{Asked, Cell, Column, Figure, Period, Plot, ReportError, Table, Unit, figure, ratio};

pub(super) const TABLES: &[&str] = &["steps", "per_day"];

const STEPS: &[Column] = &[
    Column::new("step", "Step", Unit::Text),
    Column::new("reached", "Reached", Unit::Count),
    Column::new("took_ms_median", "Took, median", Unit::Millis),
    Column::new("took_ms_mean", "Took, mean", Unit::Millis),
    Column::new("took_ms_max", "Took, longest", Unit::Millis),
];

const PER_DAY: &[Column] = &[
    Column::new("day", "Began on", Unit::Text),
    Column::new("carts", "Cart opened", Unit::Count),
    Column::new("filled", "Line added", Unit::Count),
    Column::new("checked_out", "Checked out", Unit::Count),
    Column::new("placed", "Placed", Unit::Count),
    Column::new("authorized", "Authorized", Unit::Count),
    Column::new("confirmed", "Confirmed", Unit::Count),
    Column::new("shipped", "Shipped", Unit::Count),
    Column::new("returned", "Returned", Unit::Count),
];

pub(super) async fn report(
    connection: &mut PgConnection,
    period: Period,
) -> Result<(Vec<Figure>, Vec<Table>), ReportError> {
    let days = period.sql();
    let steps = Asked {
        name: "steps",
        title: "Steps",
        note: "Of the carts that were opened in the period, and the orders without a cart that were placed in it, so many came \
               so far, whenever they did. A step took the time since the one before it that was reached. Not every order is \
               authorized: cash on delivery needs none, and imported orders have neither carts nor payments. A guest's cart \
               that went into a customer's ends there.",
        columns: STEPS,
        plot: Some(Plot { bars: &[1], shows: "How many came so far", of: "carts and orders", by_day: false }),
        query: format!(
            "SELECT step, count(at) AS reached,\n       \
                    percentile_disc(0.5) WITHIN GROUP (ORDER BY took_ms) AS took_ms_median,\n       \
                    round(avg(took_ms))::bigint AS took_ms_mean, max(took_ms) AS took_ms_max\n\
             FROM steps\n\
             WHERE day {days}\n\
             GROUP BY nth, step\n\
             ORDER BY nth"
        ),
    };
    let nth = |nth: u8, name: &str| format!("max(reached) FILTER (WHERE nth = {nth}) AS {name}");
    let reached = PER_DAY.iter().skip(1).zip(1..).map(|(column, place)| nth(place, column.name));
    let per_day = Asked {
        name: "per_day",
        title: "Over time",
        note: "Each cart and order counts on the day on which it began.",
        columns: PER_DAY,
        plot: Some(Plot {
            bars: &[1, 4, 7],
            shows: "Carts and orders that began, and came so far,",
            of: "carts and orders",
            by_day: true,
        }),
        query: format!(
            "SELECT to_char(day, 'YYYY-MM-DD') AS day,\n       {}\nFROM funnel\nWHERE day {days}\nGROUP BY funnel.day\n\
             ORDER BY 1",
            reached.collect::<Vec<_>>().join(",\n       ")
        ),
    };
    let steps = steps.of(&mut *connection).await?;
    let per_day = per_day.of(&mut *connection).await?;
    let reached = |nth: usize| match steps.rows.get(nth).and_then(|row| row.get(1)) {
        Some(Cell::Number(reached)) => *reached,
        _ => 0,
    };
    let share = |name, title, part, whole| figure(name, title, Unit::BasisPoints, ratio(part, 10_000, whole));
    let figures = vec![
        figure("carts", "Carts opened", Unit::Count, reached(0)),
        figure("placed", "Orders placed", Unit::Count, reached(3)),
        figure("confirmed", "Orders confirmed", Unit::Count, reached(5)),
        figure("shipped", "Orders shipped", Unit::Count, reached(6)),
        share("checked_out_share", "Carts that were checked out", reached(2), reached(0)),
        share("confirmed_share", "Placed orders that were confirmed", reached(5), reached(3)),
        share("returned_share", "Shipped orders of which something came back", reached(7), reached(6)),
    ];
    Ok((figures, vec![steps, per_day]))
}
