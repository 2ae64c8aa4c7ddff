//! Views of the log for analysts, in a schema of their own: a name there clashes with none of a read model's.

use std::sync::LazyLock;

use sqlx::migrate::Migrator;

use super::Tables;

static ANALYSIS: LazyLock<Migrator> = crate::migrations! {"../../migrations/analysis":
    20261225000001 "views",
};

/// The views, which hold nothing themselves. Whoever serves may read them as analysts may.
#[must_use]
pub fn analysis_tables() -> Tables {
    Tables {
        suffix: "_analysis",
        migrations: vec![&*ANALYSIS],
        grants: &[
            ("SELECT", "happened"),
            ("SELECT", "documents"),
            ("SELECT", "order_lines"),
            ("SELECT", "stock_movements"),
            ("SELECT", "payments"),
            ("SELECT", "journeys"),
            ("SELECT", "steps"),
            ("SELECT", "funnel"),
        ],
        analysts: &[
            "happened",
            "documents",
            "order_lines",
            "stock_movements",
            "payments",
            "journeys",
            "steps",
            "funnel",
        ],
        of_the_log: true,
    }
}
