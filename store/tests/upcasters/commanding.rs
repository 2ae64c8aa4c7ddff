//! Commands on aggregates of which other processes store old forms, and what is said where these make no sense.

use domain::{AnyEvent, inventory_item, value::Quantity};
use store::{
    engine::Engine,
    executor::{ExecuteError, Executed},
    log::{DecodeError, LogError, Sequence},
    testing::{Ground, request, request_as, write},
};
use uuid::Uuid;

use crate::old::{Cart, added, added_and_set, merge, opened_in_two, picked, set, viewed};

async fn run(engine: &Engine, id: &str, command: impl Into<domain::AnyCommand>) -> Executed {
    engine.executor.execute(request(id, command)).await.unwrap()
}

/// Makes the executor miss the head, and so take in what others appended.
async fn stir(engine: &Engine) {
    let quantity = Quantity::new(1).unwrap();
    run(engine, "MUG", inventory_item::Command::Receive { quantity, location: None, reference: None }).await;
}

fn events(executed: Executed) -> Vec<AnyEvent> {
    executed.events.into_iter().map(|(_, event)| event).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_append_to_an_aggregate_in_memory_is_taken_in_as_it_is_meant() {
    let ground = Ground::new().await;
    let engine = ground.engine().await;
    let told =
        [opened_in_two(), added("A", 1), picked("B", 2), viewed(), added_and_set("C", 1, 5), set("A", 9)];
    let later = [picked("C", 1), viewed(), picked("D", 4)];
    let cart = Cart::of("a", told.into_iter().chain(later));
    let all = cart.told.len();
    cart.store(&*engine.log, 0..3).await;
    // A command that changes nothing brings it into memory.
    let command = domain::cart::Command::RemoveLine { sku: "Z".parse().unwrap() };
    assert_eq!(run(&engine, "a", command).await.version, 3);
    // Pairs are taken in at once, and one event at a time, with the executor working in between.
    cart.store(&*engine.log, 3..8).await;
    stir(&engine).await;
    for nth in 8..all - 1 {
        cart.store(&*engine.log, nth..nth + 1).await;
        stir(&engine).await;
    }
    // The second of a pair whose first was taken in before, while a command on the cart itself is on its way.
    cart.store(&*engine.log, all - 1..all).await;
    let executed = run(&engine, "a", merge()).await;
    assert_eq!(executed.version, all as Sequence + 1);
    assert_eq!(events(executed), cart.state(all).decide(merge().into()).unwrap().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_command_finds_what_its_events_mean_now() {
    let ground = Ground::new().await;
    let engine = ground.engine().await;
    let cart = Cart::of("a", [opened_in_two(), added_and_set("A", 1, 5), picked("B", 1), viewed()]);
    cart.store(&*engine.log, 0..2).await;
    let repeated = request_as(Uuid::from_u128(5), "a", merge());
    let rows: Vec<_> = cart.told[2..].iter().map(|(row, _)| row.clone()).collect();
    let last = write(&*engine.log, &repeated, &rows).await;
    let executed = engine.executor.execute(repeated).await.unwrap();
    assert!(executed.replayed);
    let (first, found) = executed.positions.unwrap();
    assert_eq!((first, found), (last - 3, last));
    let recorded = engine.log.recorded_after(first - 1, last - first + 1).await.unwrap();
    let means: Vec<Vec<_>> = recorded.into_iter().map(|one| one.events.into_iter().collect()).collect();
    assert_eq!(means, cart.means()[2..]);
    // The second of a pair alone.
    let second = engine.log.recorded_after(last - 2, 1).await.unwrap();
    assert_eq!(second[0].events.as_slice(), cart.means()[4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_that_does_not_belong_together_is_said_to_be_malformed() {
    let ground = Ground::new().await;
    let mut engine = ground.engine().await;
    engine.relay();
    let other = picked("B", 1).0.remove(0).0;
    let (sku, confirmed) = (other.clone(), picked("A", 1).0.remove(1).0);
    let open = opened_in_two().0.into_iter().map(|(row, _)| row);
    let wrong: Vec<_> = open.clone().chain([sku, confirmed.clone()]).collect();
    let orphan: Vec<_> = open.chain([viewed().0.remove(0).0, confirmed.clone()]).collect();
    for (id, rows, said) in [
        ("first", vec![confirmed], "that is nothing"),
        ("other", wrong, "a SkuPicked version t1 of something else"),
        ("orphan", orphan, "that is Viewed version t1"),
    ] {
        let last = write(&*engine.log, &request(id, merge()), &rows).await;
        let stream = request(id, merge()).stream();
        let found = engine.log.recorded(&stream, 0).await.unwrap_err();
        let LogError::Decode { source: DecodeError::Malformed { field: "payload", reason }, .. } = &found
        else {
            panic!("{found}")
        };
        assert!(reason.ends_with(said), "{reason}");
        let entry =
            engine.feed.after(last - 1, 1, std::time::Duration::from_secs(20)).await.unwrap().remove(0);
        let error = entry.event.clone().unwrap_err();
        assert!(matches!(&error, DecodeError::Malformed { reason, .. } if reason.ends_with(said)), "{error}");
        let answer = engine.executor.execute(request(id, merge())).await.unwrap_err();
        let ExecuteError::Unavailable(outage) = &answer else { panic!("{answer}") };
        assert!(outage.to_string().ends_with(said), "{outage}");
    }
}
