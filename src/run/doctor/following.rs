//! Who follows the log: whether anybody does, how far behind they are, and what they have set aside.

use sqlx::PgPool;
use store::{
    follow::{LEASES_ALONE, Standing, Standings},
    ports::{Clock as _, Machine},
};
use tokio::time::timeout;

use super::{WITHIN, database::Database, rights::only_reads, said::Told};

/// Who is so far behind does not keep up.
const LATE_US: i64 = 60_000_000;

/// Looks at everybody.
pub async fn look(database: &Database, read: Option<&PgPool>, told: &mut Told) {
    let Some(read) = read else {
        return told.skip("followers", "not looked at: the read models cannot be used");
    };
    if only_reads(&database.pool).await {
        return told
            .skip("followers", "not looked at: this role only reads the log, and may not see who waits");
    }
    let asked = timeout(WITHIN, Standings::ask(&database.pool, read, Machine.now_us())).await;
    match asked {
        Ok(Ok(standings)) => {
            leases(&standings, told);
            lags(&standings, told);
            aside(&standings, told);
            timers(&standings, told);
        }
        Ok(Err(error)) => told.fail("followers", error, "look into the log of Postgres"),
        Err(_) => {
            told.fail("followers", "the databases do not answer in time", "look into the log of Postgres")
        }
    }
}

fn named(standings: &Standings, which: impl Fn(&Standing) -> bool) -> Vec<&str> {
    standings.followers.iter().filter(|of| which(of)).map(|of| of.name.as_str()).collect()
}

fn leases(standings: &Standings, told: &mut Told) {
    const CHECK: &str = "leases";
    // A search index that processes keep for themselves has no lease that anybody holds.
    let idle = named(standings, |of| !of.followed && of.name != "search");
    let all = standings.followers.len();
    if standings.followers.is_empty() || idle.len() == named(standings, |of| of.name != "search").len() {
        told.warn(CHECK, "nobody follows the log: no process serves", "start `daybook serve`");
    } else if idle.is_empty() {
        told.ok(CHECK, format_args!("each of {all} followers is run by a process"));
    } else {
        let said = format!("nobody runs {}", idle.join(", "));
        told.fail(
            CHECK,
            said,
            "look into the processes' logs; one of an older version does not know newer followers",
        );
    }
}

fn lags(standings: &Standings, told: &mut Told) {
    const CHECK: &str = "lag";
    let late = named(standings, |of| of.behind_us.is_some_and(|behind_us| behind_us > LATE_US));
    let unread = |of: &Standing| of.position.is_none() && !LEASES_ALONE.contains(&of.name.as_str());
    let astray = named(standings, unread);
    if !late.is_empty() {
        let todo =
            "`daybook followers list` shows by how much; a process that does not keep up says why in its log";
        told.fail(CHECK, format_args!("more than a minute behind: {}", late.join(", ")), todo);
    }
    if !astray.is_empty() {
        let said = format!("nobody has followed since the log's life began: {}", astray.join(", "));
        told.warn(CHECK, said, "start `daybook serve`; it begins anew by itself");
    }
    if late.is_empty() && astray.is_empty() {
        told.ok(CHECK, format_args!("nobody is more than a minute behind position {}", standings.head));
    }
}

fn aside(standings: &Standings, told: &mut Told) {
    const CHECK: &str = "set aside";
    let aside = standings.followers.iter().filter(|of| of.parked + of.lanes > 0);
    let aside: Vec<_> = aside.map(|of| format!("{} {}", of.name, of.parked + of.lanes)).collect();
    if aside.is_empty() {
        told.ok(CHECK, "no stream and no instance is set aside");
    } else {
        let said = format!("streams and instances are set aside: {}", aside.join(", "));
        told.fail(
            CHECK,
            said,
            "`daybook followers list` says why; mend that, then `daybook followers retry`",
        );
    }
}

fn timers(standings: &Standings, told: &mut Told) {
    const CHECK: &str = "timers";
    let overdue = standings.overdue;
    let said = format!("{} are due, the first one for {} s", overdue.timers, overdue.late_us / 1_000_000);
    if overdue.late_us > LATE_US {
        told.warn(CHECK, said, "look into the log of the process that holds the lease `timers`");
    } else {
        told.ok(CHECK, said);
    }
}
