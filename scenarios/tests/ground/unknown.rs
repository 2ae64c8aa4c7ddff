//! An event of a newer program, as clients and operators of the older one see it.

use domain::{inventory_item::Command, value::Quantity};
use store::testing::{Ground, request};

use crate::process::{Serve, laid};

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_with_an_unknown_event_is_named_and_all_others_are_served() {
    let ground = laid(Ground::new().await).await;
    let writer = ground.engine().await;
    for sku in ["A", "NEW"] {
        let receive =
            Command::Receive { quantity: Quantity::new(1).unwrap(), location: None, reference: None };
        writer.executor.execute(request(sku, receive)).await.unwrap();
    }
    writer.stop().await;
    ground.as_owner("UPDATE events SET event_type = 'Teleported' WHERE position = 2").await;

    let mut serve = Serve::up(&ground, "old").await;
    let refused = serve.receive("NEW", "first").await;
    assert!(refused.is_outage("too_new"), "{refused:?}");
    assert!(serve.told().contains("Teleported version 2 is not known to this program"), "{}", serve.told());
    let other = serve.receive("A", "second").await;
    assert_eq!((other.status, &other.body["position"]), (200, &3.into()), "{other:?}");
    // Whoever only reads the log gets it as it stands.
    let events = serve.get("/v1/events").await;
    assert_eq!((events.status, events.text.matches("Teleported").count()), (200, 1), "{events:?}");
    serve.is_running();

    ground.as_owner("UPDATE events SET event_type = 'Received' WHERE position = 2").await;
    serve.kill();
    let newer = Serve::up(&ground, "newer").await;
    let done = newer.receive("NEW", "first").await;
    assert_eq!((done.status, &done.body["version"]), (200, &2.into()), "{done:?}");
}
