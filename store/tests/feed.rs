//! What a process's feed hears of its own appends is what the log says, whoever else appends.

#![expect(clippy::unwrap_used, reason = "a test whose store does not answer cannot go on")]

use std::time::Duration;

use domain::{
    inventory_item::Command,
    value::{Quantity, ReservationId},
};
use store::{
    engine::Engine,
    log::Recorded,
    testing::{Ground, eventually, request},
};

const EACH: usize = 60;

/// Commands one after another, some of which happen and some do not, on three SKUs that others use too.
async fn work(engine: &Engine) {
    for nth in 0..EACH {
        let sku = ["A", "B", "C"][nth % 3];
        let quantity = Quantity::new(1 + u32::try_from(nth % 4).unwrap()).unwrap();
        let command = match nth % 2 {
            0 => Command::Receive { quantity, location: None, reference: None },
            _ => Command::Reserve {
                reservation: ReservationId::new(format!("r{nth}")).unwrap(),
                quantity,
                expires_at: None,
                in_stock: false,
                now: domain::value::Time::from_millis(0),
            },
        };
        // What is refused is no event.
        let _ = engine.executor.execute(request(sku, command)).await;
    }
}

/// The feed's events from the first to the log's end, page by page.
async fn heard(engine: &Engine) -> Vec<Recorded> {
    let head = engine.log.head().await.unwrap().position;
    eventually("the feed is at the log's end", || async {
        (*engine.feed.tip().borrow() == head).then_some(())
    })
    .await;
    let mut heard: Vec<Recorded> = vec![];
    while let Some(page) = Some(
        engine.feed.after(heard.last().map_or(0, |last| last.position), 7, Duration::ZERO).await.unwrap(),
    )
    .filter(|page| !page.is_empty())
    {
        heard.extend(page.iter().map(|entry| entry.event.clone().unwrap()));
    }
    heard
}

#[tokio::test(flavor = "multi_thread")]
async fn each_process_hears_what_the_log_says_while_two_append() {
    let ground = Ground::new().await;
    let (one, other) = (ground.engine().await, ground.engine().await);
    tokio::join!(work(&one), work(&other), work(&one), work(&other));
    let logged = one.log.recorded_after(0, i64::MAX).await.unwrap();
    assert!(logged.len() > 2 * EACH, "{}", logged.len());
    for engine in [&one, &other] {
        assert_eq!(heard(engine).await, logged);
    }
}
