//! What customers keep at Stripe: attached by paying with it, paid with again, detached when it is not kept any more.

use serde_json::{Value, json};
use store::testing::eventually;

use crate::{
    proxy::{Fault, Proxy},
    shop::{shop, shop_on},
    support::{Api, Reply, delete, fresh_key, get, post},
};

/// A card of somebody's own at localstripe.
async fn card(proxy: &Proxy) -> String {
    let fields = [
        ("type", "card"),
        ("card[number]", "4242424242424242"),
        ("card[exp_month]", "12"),
        ("card[exp_year]", "2030"),
        ("card[cvc]", "123"),
    ];
    proxy.really("/v1/payment_methods", &fields).await.body["id"].as_str().unwrap().to_owned()
}

async fn pay(api: &Api, token: &str, body: &Value) -> Reply {
    let (_, payment) = api.order_by(token, "A").await;
    let path = format!("/v1/payments/{payment}/authorize");
    api.send(post(&path, body).by(token).key(&fresh_key()).patient()).await
}

async fn kept(api: &Api, token: &str, count: usize) -> Vec<Value> {
    eventually("as many methods are kept", || async {
        let list = api.send(get("/v1/me/payment-methods").by(token)).await.expect(200).json();
        list["data"].as_array().filter(|data| data.len() == count).cloned()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_is_attached_by_paying_with_it_paid_with_again_and_detached() {
    let proxy = Proxy::start().await;
    let api = shop(&proxy).await;
    api.stock("A", 250, 9).await;
    let (_, ada) = api.customer();
    let card = card(&proxy).await;
    pay(&api, &ada, &json!({ "token": card, "save": true })).await.expect(200);
    let shown = kept(&api, &ada, 1).await.remove(0);
    assert_eq!(
        (&shown["kind"], &shown["brand"], &shown["last4"], &shown["expires"]),
        (&json!("card"), &json!("visa"), &json!("4242"), &json!("2030-12"))
    );
    let made = proxy.posts("/v1/payment_intents").remove(0);
    let holder = made.field("customer").to_owned();
    assert_eq!(made.field("setup_future_usage"), "on_session");
    assert_eq!(proxy.real(&format!("/v1/payment_methods/{card}")).await["customer"], holder.as_str());

    pay(&api, &ada, &json!({ "saved": shown["id"] })).await.expect(200);
    let again = proxy.posts("/v1/payment_intents").remove(1);
    assert_eq!((again.field("payment_method"), again.field("customer")), (&*card, &*holder));
    assert_eq!(again.field("setup_future_usage"), "");
    assert_eq!(proxy.posts("/v1/customers").len(), 1, "one customer is one Customer");
    let log = serde_json::to_string(&api.events().await).unwrap();
    assert!(!log.contains(&card) && !log.contains(&holder), "what Stripe knows them by stands in the log");

    // Stripe is away when it is asked for the first time.
    proxy.faults().once("detach", Fault::Answer(400, json!({ "type": "invalid_request_error" })));
    let path = format!("/v1/me/payment-methods/{}", shown["id"].as_str().unwrap());
    api.send(delete(&path).by(&ada)).await.expect(204);
    kept(&api, &ada, 0).await;
    pay(&api, &ada, &json!({ "saved": shown["id"] })).await.expect_problem(404, "payment_method.not_found");
    eventually("Stripe was asked to detach it", || async {
        (!proxy.posts("/detach").is_empty()).then_some(())
    })
    .await;
    // As if half a minute had passed.
    eventually("it is detached", || async {
        let edge = api.edge().await;
        let due = "UPDATE payment_methods SET next_at = saved_at WHERE removed_at IS NOT NULL";
        sqlx::query(due).execute(&edge).await.unwrap();
        let attached = proxy.real(&format!("/v1/payment_methods/{card}")).await["customer"].clone();
        attached.is_null().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forgetting_a_customer_detaches_what_they_kept() {
    let proxy = Proxy::start().await;
    let api = shop(&proxy).await;
    api.stock("A", 250, 9).await;
    let (ada, token) = api.customer();
    let card = card(&proxy).await;
    pay(&api, &token, &json!({ "token": card, "save": true })).await.expect(200);
    kept(&api, &token, 1).await;
    let path = format!("/v1/subjects/customer:{ada}/forget");
    api.send(post(&path, &json!({})).by(&token).patient()).await.expect(200);
    eventually("it is detached", || async {
        let attached = proxy.real(&format!("/v1/payment_methods/{card}")).await["customer"].clone();
        attached.is_null().then_some(())
    })
    .await;
    eventually("nothing of it is left", || async { (rows(&api).await == (0, 0)).then_some(()) }).await;
}

async fn rows(api: &Api) -> (i64, i64) {
    let sql = "SELECT (SELECT count(*) FROM payment_methods), (SELECT count(*) FROM gateway_holders)";
    sqlx::query_as(sql).fetch_one(&api.edge().await).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_that_cannot_be_made_is_no_payment_and_may_try_again() {
    let proxy = Proxy::start().await;
    let api = shop(&proxy).await;
    api.stock("A", 250, 9).await;
    let (_, ada) = api.customer();
    let card = card(&proxy).await;
    proxy.faults().once("/v1/customers", Fault::Answer(402, json!({ "type": "card_error" })));
    let body = json!({ "token": card, "save": true });
    let (_, payment) = api.order_by(&ada, "A").await;
    let authorize = |key: &str| {
        let path = format!("/v1/payments/{payment}/authorize");
        api.send(post(&path, &body).by(&ada).key(key).patient())
    };
    authorize("first").await.expect_problem(409, "payment.timed_out");
    assert!(proxy.posts("/confirm").is_empty(), "nothing was held");
    authorize("second").await.expect(200);
    kept(&api, &ada, 1).await;
}

/// What was kept with the simulator, by a program that did not say so, and is asked for with Stripe.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_gateway_keeps_is_not_told_to_another() {
    let simulated = Api::start().await;
    simulated.stock("A", 250, 9).await;
    let (_, ada) = simulated.customer();
    for token in ["tok_approve", "tok_void_fails"] {
        pay(&simulated, &ada, &json!({ "token": token, "save": true })).await.expect(200);
    }
    let known = kept(&simulated, &ada, 2).await;
    let edge = simulated.edge().await;
    let unnamed = [
        "INSERT INTO payment_holders SELECT customer, holder FROM gateway_holders",
        "DELETE FROM gateway_holders",
        "UPDATE payment_methods SET gateway = NULL",
    ];
    for sql in unnamed {
        sqlx::query(sql).execute(&edge).await.unwrap();
    }
    let of = |method: &Value| format!("/v1/me/payment-methods/{}", method["id"].as_str().unwrap());

    let proxy = Proxy::start().await;
    let api = shop_on(&simulated, &proxy).await;
    drop(simulated);
    api.as_owner("UPDATE followers SET lease_expires_at = '-infinity'").await;
    kept(&api, &ada, 0).await;
    let saved = pay(&api, &ada, &json!({ "saved": known[0]["id"] })).await;
    saved.expect_problem(404, "payment_method.not_found");
    let card = card(&proxy).await;
    pay(&api, &ada, &json!({ "token": card, "save": true })).await.expect(200);
    kept(&api, &ada, 1).await;
    // What is removed here waits for the gateway that keeps it.
    api.send(delete(&of(&known[1])).by(&ada)).await.expect(204);
    let asked = proxy.asked();
    let leaked = asked.iter().find(|asked| {
        asked.path.contains("tok_") || asked.fields.values().any(|value| value.starts_with("sim-"))
    });
    assert!(leaked.is_none(), "{leaked:?}");

    let back = api.another().await;
    assert_eq!(kept(&back, &ada, 1).await[0]["id"], known[0]["id"]);
    let named: Vec<(String, i64)> =
        sqlx::query_as("SELECT gateway, count(*) FROM gateway_holders GROUP BY gateway ORDER BY gateway")
            .fetch_all(&edge)
            .await
            .unwrap();
    assert_eq!(named, [("simulator".to_owned(), 1), ("stripe".to_owned(), 1)]);
}
