//! Guests buy without an account, and take their cart with them when they log in.

use domain::value::CustomerId;
use serde_json::{Value, json};

use crate::{
    people::{guest, member, staff},
    support::{Api, Ask, Reply, buyer, fresh_key, get, post},
};
use api::Permission;

async fn open(api: &Api, token: &str) -> Reply {
    api.send(post("/v1/carts", &json!({ "currency": "GBP" })).by(token)).await
}

/// A cart of somebody's with a unit of each SKU.
async fn filled(api: &Api, token: &str, skus: &[&str]) -> String {
    let cart = open(api, token).await.expect(201).text_of("id");
    for sku in skus {
        let add = post(&format!("/v1/carts/{cart}/items"), &json!({ "sku": sku, "quantity": 1 }));
        api.send(add.by(token)).await.expect(200);
    }
    cart
}

fn check_out(cart: &str) -> Ask {
    post("/v1/checkouts", &buyer(cart, "card")).key(&fresh_key()).patient()
}

fn authorize(payment: &str) -> Ask {
    let path = format!("/v1/payments/{payment}/authorize");
    post(&path, &json!({ "token": "tok_approve" })).key(&fresh_key()).patient()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_buys_and_sees_their_order_and_nobody_else_does() {
    let api = Api::start().await;
    api.stock("MUG", 900, 5).await;
    let (ours, theirs) = (guest(&api).await, guest(&api).await);
    let cart = filled(&api, &ours, &["MUG"]).await;
    api.send(check_out(&cart).by(&theirs)).await.expect_problem(404, "cart.not_found");
    let placed = api.send(check_out(&cart).by(&ours)).await.expect(201);
    let (order, payment) = (placed.text_of("order"), placed.text_of("payment"));
    api.send(authorize(&payment).by(&theirs)).await.expect_problem(404, "payment.not_found");
    api.send(authorize(&payment).by(&ours)).await.expect(200);
    let path = format!("/v1/orders/{order}");
    let shown = api.send(get(&path).by(&ours).after(&placed)).await.expect(200).json();
    let customer: CustomerId = shown["customer"].as_str().unwrap().parse().unwrap();
    assert!(customer.is_guest());
    api.send(get(&path).by(&theirs)).await.expect_problem(404, "order.not_found");
    let list = async |token: &str, query: &str| api.send(get(&format!("/v1/orders{query}")).by(token)).await;
    assert_eq!(list(&ours, "").await.expect(200).json()["data"][0]["id"], order.as_str());
    assert_eq!(list(&theirs, "").await.expect(200).json()["data"], json!([]));
    let others = format!("?customer={customer}");
    assert_eq!(list(&ours, &others).await.expect(200).json()["data"][0]["id"], order.as_str());
    list(&theirs, &others).await.expect_problem(403, "auth.forbidden");
    let orders = staff(&api, &[Permission::Orders]);
    assert_eq!(list(&orders, &others).await.expect(200).json()["data"][0]["id"], order.as_str());
    list(&orders, "").await.expect_problem(422, "request.invalid");
    // A process that has made none of it knows whose it is from the log.
    let other = api.another().await;
    other.send(get(&path).by(&theirs)).await.expect_problem(404, "order.not_found");
    other.send(get(&format!("/v1/payments/{payment}")).by(&ours).after(&placed)).await.expect(200);
    let events = api.events().await;
    let actors: Vec<&Value> = events.iter().map(|event| &event["metadata"]["actor"]).collect();
    assert!(actors.contains(&&json!(format!("guest:{customer}"))), "{actors:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_the_staff_may_say_is_not_taken_from_others() {
    let api = Api::start().await;
    api.stock("MUG", 900, 5).await;
    let (_, member) = member(&api).await;
    let open =
        |token: &str| post("/v1/carts", &json!({ "currency": "GBP", "customer": "somebody" })).by(token);
    api.send(open(&member.access)).await.expect_problem(403, "auth.forbidden");
    api.send(open(&staff(&api, &[Permission::Payments]))).await.expect_problem(403, "auth.forbidden");
    api.send(open(&staff(&api, &[Permission::Orders]))).await.expect(201);
    let cart = filled(&api, &member.access, &["MUG"]).await;
    let order = api.send(check_out(&cart).by(&member.access)).await.expect(201).text_of("order");
    let cancel = |reason: &str| {
        post(&format!("/v1/orders/{order}/cancel"), &json!({ "reason": reason })).by(&member.access)
    };
    api.send(cancel("staff")).await.expect_problem(403, "auth.forbidden");
    api.send(cancel("customer_request")).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_logs_in_takes_the_guests_cart_along_with_the_guests_token_as_proof() {
    let api = Api::start().await;
    for sku in ["MUG", "BOWL"] {
        api.stock(sku, 900, 5).await;
    }
    let (guests, other, (_, member)) = (guest(&api).await, guest(&api).await, member(&api).await);
    let (from, into) = (filled(&api, &guests, &["MUG"]).await, filled(&api, &member.access, &["BOWL"]).await);
    let merge = async |body: Value, token: &str| {
        let ask = post(&format!("/v1/carts/{from}/merge"), &body).by(token).patient();
        api.send(ask).await
    };
    merge(json!({ "into": into }), &member.access).await.expect_problem(422, "auth.guest_token");
    let wrong = json!({ "into": into, "guest_token": other });
    merge(wrong, &member.access).await.expect_problem(404, "cart.not_found");
    let wrong = json!({ "into": into, "guest_token": member.access });
    merge(wrong, &member.access).await.expect_problem(422, "auth.guest_token");
    let body = json!({ "into": into, "guest_token": guests });
    merge(body.clone(), &guests).await.expect_problem(403, "auth.forbidden");
    let merged = merge(body, &member.access).await.expect(200);
    assert_eq!(merged.json()["lines"][0]["sku"], "MUG");
    let placed = api.send(check_out(&into).by(&member.access)).await.expect(201).json();
    assert_eq!(placed["total"]["amount"], 1_800);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_limit_counts_for_guests_as_well() {
    let api = Api::start().await;
    let variant = json!({ "sku": "RARE", "price": crate::support::gbp(900), "purchase_limit": 1 });
    let listed =
        api.send(post("/v1/products", &json!({ "title": "Rare", "variants": [variant] }))).await.expect(201);
    api.send(get(listed.header("location")).after(&listed)).await.expect(200);
    api.send(post("/v1/inventory/RARE/receive", &json!({ "quantity": 5 }))).await.expect(200);
    let guests = guest(&api).await;
    let first = filled(&api, &guests, &["RARE"]).await;
    api.send(check_out(&first).by(&guests)).await.expect(201);
    let second = filled(&api, &guests, &["RARE"]).await;
    api.send(check_out(&second).by(&guests)).await.expect_problem(409, "checkout.failed");
}
