//! Errands that nobody is going to carry, and those that are over for long.

use api::outbound::{
    Outbound,
    errands::{Channel, NewErrand, Wanted},
    webhooks::{DISABLED, NewEndpoint},
};
use store::log::Position;
use uuid::Uuid;

use crate::support::Api;

fn errand(channel: Channel, lane: &str) -> NewErrand {
    let id = Uuid::now_v7();
    let (kind, lane) = ("order.confirmed", lane.to_owned());
    NewErrand { id, channel, lane, kind, message: id, origin: None, payload: None, dead: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_is_going_to_carry_is_given_up_and_forgotten_after_a_month() {
    let api = Api::start().await;
    let outbound = Outbound::resting(&api.engine, api.edge().await);
    let queue = &outbound.queue;
    let endpoint = Uuid::now_v7();
    let new = NewEndpoint { id: endpoint, url: "https://shop.example", description: None, types: &[] };
    outbound.endpoints.register(new).await.unwrap();
    let errands = [
        errand(Channel::Webhook, &endpoint.to_string()),
        errand(Channel::Webhook, &Uuid::now_v7().to_string()),
        errand(Channel::Mail, ""),
        errand(Channel::Sms, ""),
    ];
    queue.put(&errands).await.unwrap();
    // The same once more makes nothing.
    queue.put(&errands).await.unwrap();
    let edge = api.edge().await;
    let run = async |sql: &str| sqlx::query(sql).execute(&edge).await.unwrap().rows_affected();
    run("UPDATE errands SET next_at = now() - interval '8 days' WHERE channel = 'sms'").await;
    queue.give_up_left(DISABLED).await.unwrap();
    let of = async |channel: Channel| {
        let wanted = Wanted { channels: &[channel], limit: 10, ..Wanted::default() };
        let mut states: Vec<_> = queue.list(wanted).await.unwrap();
        states.sort_by_key(|listed| listed.endpoint != Some(endpoint.to_string()));
        states.into_iter().map(|listed| (listed.state.as_str(), listed.reason)).collect::<Vec<_>>()
    };
    let (waits, dead) = (("waiting", None), |reason: &str| ("dead", Some(reason.to_owned())));
    assert_eq!(of(Channel::Webhook).await, [waits.clone(), dead(DISABLED)]);
    assert_eq!(of(Channel::Mail).await, [waits]);
    assert_eq!(of(Channel::Sms).await, [dead("it has waited for too long")]);

    assert_eq!(queue.forget_old().await.unwrap(), 0);
    run("UPDATE errands SET ended_at = now() - interval '31 days' WHERE ended_at IS NOT NULL").await;
    assert_eq!(queue.forget_old().await.unwrap(), 2);
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM errands").fetch_one(&edge).await.unwrap();
    assert_eq!(left, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_one_takes_an_errand_and_whoever_is_late_changes_nothing() {
    let api = Api::start().await;
    let outbound = Outbound::resting(&api.engine, api.edge().await);
    let queue = &outbound.queue;
    let lanes = [api::outbound::errands::Lane { name: String::new(), at_once: 3 }];
    let errands: Vec<_> = (0..5).map(|_| errand(Channel::Mail, "")).collect();
    queue.put(&errands).await.unwrap();
    let (one, other) = tokio::join!(queue.take(Channel::Mail, &lanes), queue.take(Channel::Mail, &lanes));
    let (one, other) = (one.unwrap(), other.unwrap());
    let mut taken: Vec<_> = one.iter().chain(&other).map(|errand| errand.id).collect();
    taken.sort_unstable();
    taken.dedup();
    assert_eq!(
        (one.len().max(other.len()), taken.len()),
        (3, 5),
        "each is taken once, and no more than there is room for"
    );
    assert!(queue.take(Channel::Mail, &lanes).await.unwrap().is_empty());

    // Its taker was slow, and somebody else has it by now.
    let late = &one[0];
    let sql = "UPDATE errands SET next_at = now() - interval '1 second' WHERE id = $1";
    sqlx::query(sql).bind(late.id).execute(&api.edge().await).await.unwrap();
    let again = queue.take(Channel::Mail, &lanes).await.unwrap();
    assert_eq!((again.len(), again[0].id, again[0].attempts), (1, late.id, 2));
    let given_up = api::outbound::errands::Outcome::Never("too late".into());
    queue.settle(late, &given_up, None).await.unwrap();
    let shown = queue.show(&[Channel::Mail], late.id).await.unwrap().unwrap();
    assert_eq!((shown.state.as_str(), shown.position), ("waiting", None::<Position>));
}
