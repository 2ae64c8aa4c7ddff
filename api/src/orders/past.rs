//! An order as it was: folded from the log for whoever asks, and kept nowhere.

use domain::value::OrderId;
use projections::{Fresh, analytics::history::PastError};
use serde::Deserialize;
use store::{
    executor::Token,
    history::{Ahead, Moment},
    log::Head,
};
use tokio::sync::Semaphore;

use super::{opened, page};
use crate::{
    Shop,
    freshness::{self, POSITION},
    pages::Page,
    problem::Problem,
};

/// So many look back at once in one process; others wait for them, so that commands find the log's connections free.
static LOOKING_BACK: Semaphore = Semaphore::const_new(4);

/// How an order is shown.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = OrderShown))]
#[serde(deny_unknown_fields)]
pub struct Shown {
    /// As it was then: an RFC 3339 time, which is business time, a day (its end, in UTC), a position of the log, or what a
    /// `Daybook-Position` said. Without it, as it is.
    #[serde(default)]
    #[cfg_attr(
        test,
        schema(
            format = "daybook-moment",
            pattern = "^(?:[1-9][0-9]{0,18}|[0-9]{4}-[0-9]{2}-[0-9]{2}.*|[0-9a-f-]{36}:[0-9]+)$"
        )
    )]
    pub(super) as_of: Option<String>,
}

/// An order's page as it was, with its delivery opened.
pub(super) async fn shown(
    shop: &Shop,
    id: &OrderId,
    as_of: &str,
    freshness: projections::Freshness,
) -> Result<Fresh<Page>, Problem> {
    let _seat = LOOKING_BACK.acquire().await.map_err(|error| Problem::internal(&error))?;
    let head = shop.log.head().await?;
    if let Some(token) = freshness.at_least {
        of_this_log(token, &head)?;
    }
    let now = shop.clock.now();
    let moment = moment(as_of, &head)?.so_far(now);
    moment.check(head.position, now).map_err(|error| ahead(&error))?;
    let found =
        shop.read.order_as_of(&*shop.log, id, (moment, &head)).await.map_err(|error| match error {
            PastError::Log(error) => Problem::from(error),
            PastError::Query(error) => Problem::from(error),
            PastError::Fold(error) => Problem::internal(&format!("{error:?}")),
        })?;
    let Some(order) = found.value.clone() else {
        return Err(Problem::new("order.not_found", "there was no order of this id then")
            .with_header(POSITION, &found.reflects.to_string()));
    };
    let shown = opened(shop, &page(order)?).await?;
    Ok(found.map(|_| shown))
}

fn moment(text: &str, head: &Head) -> Result<Moment, Problem> {
    if let Some(token) = freshness::token(text) {
        of_this_log(token, head)?;
        return moment(&token.position.to_string(), head);
    }
    match text.parse() {
        Ok(moment @ (Moment::Time(_) | Moment::Position(_))) => Ok(moment),
        Ok(Moment::Sequence(_) | Moment::Now) => {
            Err(Problem::new("as_of.malformed", "as_of takes a time or a position, not a place in a stream"))
        }
        Err(_) => Err(Problem::new(
            "as_of.malformed",
            format!(
                "{text:?} is no moment: write a time such as 2010-12-24T08:30:00Z, a day such as 2010-12-24 (its end, in UTC) \
                 or a position such as 120"
            ),
        )),
    }
}

fn of_this_log(token: Token, head: &Head) -> Result<(), Problem> {
    if token.position > 0 && token.incarnation != head.incarnation {
        return Err(Problem::new("position.other_log", "the position belongs to another life of the log"));
    }
    if token.position > head.position {
        let ahead = Ahead::Position { position: token.position, head: head.position };
        return Err(Problem::new("as_of.ahead", ahead.to_string()).with("head", head.position));
    }
    Ok(())
}

fn ahead(error: &Ahead) -> Problem {
    let problem = Problem::new("as_of.ahead", error.to_string());
    match error {
        Ahead::Position { head, .. } => problem.with("head", head),
        Ahead::Time { now, .. } => problem.with("now", store::rfc3339::format(*now)),
    }
}
