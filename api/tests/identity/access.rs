//! Every route is asked by everybody, and lets in whom the access table says and nobody else.

use std::{collections::BTreeSet, fs, path::Path};

use api::{
    Permission,
    access::{Access, Kind, ROUTES},
};
use axum::http::Method;
use serde_json::json;

use crate::{
    examples::{self, Example, Names},
    people::{customer, guest, staff},
    support::{Api, Ask, Reply, buyer, fresh_key, get, post},
};

/// What somebody was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Let {
    /// To show a token first.
    Required,
    /// That it is for others.
    Forbidden,
    /// That there is no such thing.
    Hidden,
    /// Something else: what the route itself says.
    In,
}

fn told(reply: &Reply) -> Let {
    match (reply.status.as_u16(), reply.code().as_str()) {
        (401, "auth.required") => Let::Required,
        (403, "auth.forbidden") => Let::Forbidden,
        (404, "cart.not_found" | "order.not_found" | "payment.not_found") => Let::Hidden,
        (401, "auth.invalid_token") => panic!("the test's token is no good: {reply:?}"),
        _ => Let::In,
    }
}

/// Everybody who asks. The first one owns what the requests name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    OwnerGuest,
    OwnerCustomer,
    Nobody,
    OtherGuest,
    OtherCustomer,
    StaffWithout,
    StaffWith,
    Admin,
}

/// What a route's permission is, where it has one.
const fn permission(access: Access) -> Option<Permission> {
    match access {
        Access::Owner(_, permission) | Access::Needs(permission) => Some(permission),
        Access::Public | Access::Token | Access::Account | Access::Staff | Access::Admin => None,
    }
}

/// What the table promises; routes that look into bodies have a row of their own below.
fn promised(access: Access, who: Who) -> Let {
    use Who as W;
    let is_guest = matches!(who, W::OwnerGuest | W::OtherGuest);
    let is_owner = matches!(who, W::OwnerGuest | W::OwnerCustomer);
    let is_customer = matches!(who, W::OwnerCustomer | W::OtherCustomer);
    match (access, who) {
        (Access::Public, _) => Let::In,
        (_, W::Nobody) => Let::Required,
        (_, W::Admin) | (Access::Token, _) => Let::In,
        (Access::Admin, _) => Let::Forbidden,
        (Access::Account, _) => {
            if is_guest {
                Let::Forbidden
            } else {
                Let::In
            }
        }
        (Access::Staff, _) => {
            if is_guest || is_customer {
                Let::Forbidden
            } else {
                Let::In
            }
        }
        (Access::Needs(_) | Access::Owner(..), W::StaffWith) => Let::In,
        (Access::Needs(_), _) | (Access::Owner(..), W::StaffWithout) => Let::Forbidden,
        (Access::Owner(..), _) if is_owner => Let::In,
        (Access::Owner(Kind::Subject, _), _) => Let::Forbidden,
        (Access::Owner(..), _) => Let::Hidden,
    }
}

/// What routes promise whose handlers look into the request.
fn promised_by_handler(route: &str, who: Who) -> Option<Let> {
    use Who as W;
    Some(match (route, who) {
        // Whoever sends no refresh token in the body.
        ("/v1/auth/logout", W::Nobody) => Let::Required,
        ("/v1/auth/logout", W::OwnerGuest | W::OtherGuest) => Let::Forbidden,
        (_, W::Nobody) => return None,
        // The staff's permission that counts here is that for orders.
        ("/v1/carts" | "/v1/orders" | "/v1/checkouts" | "/v1/carts/{id}/merge", W::StaffWithout) => {
            Let::Forbidden
        }
        ("/v1/checkouts", W::OtherGuest | W::OtherCustomer) => Let::Hidden,
        // One becomes a customer by logging in.
        ("/v1/carts/{id}/merge", W::OwnerGuest | W::OtherGuest) => Let::Forbidden,
        _ => return None,
    })
}

fn table() -> Vec<(&'static str, &'static str, Access)> {
    let methods = |(route, methods): &(&'static str, &'static [(&'static str, Access)])| {
        let route = *route;
        methods.iter().map(move |(method, access)| (*method, route, *access)).collect::<Vec<_>>()
    };
    ROUTES.iter().flat_map(methods).collect()
}

/// A cart, an order and a payment of whoever has the token.
async fn bought(api: &Api, token: &str) -> Names {
    let open = async || {
        let opened = api.send(post("/v1/carts", &json!({ "currency": "GBP" })).by(token)).await.expect(201);
        let cart = opened.text_of("id");
        let add = post(&format!("/v1/carts/{cart}/items"), &json!({ "sku": "MUG", "quantity": 1 }));
        let added = api.send(add.by(token)).await.expect(200);
        // What is asked for below does not wait.
        api.send(get(&format!("/v1/carts/{cart}")).after(&added)).await.expect(200);
        cart
    };
    let check_out = post("/v1/checkouts", &buyer(&open().await, "card")).key(&fresh_key()).patient();
    let placed = api.send(check_out.by(token)).await.expect(201);
    let (order, payment) = (placed.text_of("order"), placed.text_of("payment"));
    let shown = api.send(get(&format!("/v1/orders/{order}")).after(&placed)).await.expect(200);
    Names { cart: open().await, order, payment, subject: format!("customer:{}", shown.text_of("customer")) }
}

fn ask(example: &Example, names: &Names) -> Ask {
    let method = Method::from_bytes(example.method.as_bytes()).unwrap();
    let ask = Ask::new(method, &names.path(example.route)).key(&fresh_key()).header("prefer", "wait=0");
    if example.method == "GET" { ask } else { ask.json(&example.body) }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_lets_in_whom_the_table_says_and_nobody_else() {
    let api = Api::start().await;
    api.stock("MUG", 900, 100).await;
    let (guests, other_guests) = (guest(&api).await, guest(&api).await);
    let ((_, customers), (_, other_customers)) = (customer(&api), customer(&api));
    let mut wrong = vec![];
    for (owner, token, others) in [
        (Who::OwnerGuest, &guests, [(Who::OtherGuest, &other_guests), (Who::OtherCustomer, &customers)]),
        (
            Who::OwnerCustomer,
            &customers,
            [(Who::OtherGuest, &guests), (Who::OtherCustomer, &other_customers)],
        ),
    ] {
        let names = bought(&api, token).await;
        let examples = examples::all(&names);
        for (method, route, access) in table() {
            let Some(example) = examples.iter().find(|one| one.route == route && one.method == method) else {
                panic!("{method} {route} has no example");
            };
            let with = permission(access).unwrap_or(Permission::Orders);
            let without: Vec<_> =
                Permission::ALL.into_iter().filter(|permission| *permission != with).collect();
            let asks = [
                (Who::Nobody, ask(example, &names).by_nobody()),
                (others[0].0, ask(example, &names).by(others[0].1)),
                (others[1].0, ask(example, &names).by(others[1].1)),
                (Who::StaffWithout, ask(example, &names).by(&staff(&api, &without))),
                (Who::StaffWith, ask(example, &names).by(&staff(&api, &[with]))),
                (Who::Admin, ask(example, &names)),
                // Last: who is forgotten cannot do much more.
                (owner, ask(example, &names).by(token)),
            ];
            for (who, ask) in asks {
                let expected = promised_by_handler(route, who).unwrap_or_else(|| promised(access, who));
                let reply = api.send(ask).await;
                if told(&reply) != expected || reply.status.is_server_error() {
                    wrong.push(format!(
                        "{method} {route} by {who:?} ({owner:?}): {expected:?}, but {reply:?}"
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_example_is_of_a_route_that_is_not_there() {
    let names =
        Names { cart: "c".into(), order: "o".into(), payment: "p".into(), subject: "customer:s".into() };
    let known: BTreeSet<_> = table().into_iter().map(|(method, route, _)| (method, route)).collect();
    let examples: BTreeSet<_> =
        examples::all(&names).iter().map(|example| (example.method, example.route)).collect();
    assert_eq!(examples, known);
}

/// The routes that the sources lay, with their methods.
fn laid(folder: &Path, found: &mut BTreeSet<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            laid(&path, found);
        } else {
            let text = fs::read_to_string(&path).unwrap();
            for call in text.split(".route(").skip(1) {
                let route = call.split('"').nth(1).unwrap().to_owned();
                let mut depth = 1;
                let end = call.find(|letter| {
                    depth += match letter {
                        '(' => 1,
                        ')' => -1,
                        _ => 0,
                    };
                    depth == 0
                });
                for method in ["get", "post", "put", "patch", "delete"] {
                    let made = |(at, _): (usize, &str)| {
                        !call[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_')
                    };
                    if call[..end.unwrap()].match_indices(&format!("{method}(")).any(made) {
                        found.insert((method.to_uppercase(), route.clone()));
                    }
                }
            }
        }
    }
}

#[test]
fn every_route_stands_in_the_table() {
    let mut found = BTreeSet::new();
    laid(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    let known: BTreeSet<_> =
        table().into_iter().map(|(method, route, _)| (method.to_owned(), route.to_owned())).collect();
    assert_eq!(found, known);
}

/// Whom the manual calls thus.
fn called(who: &str) -> Access {
    let permission = |name: &str| {
        let name = name.trim_matches('`');
        *Permission::ALL.iter().find(|permission| permission.as_str() == name).unwrap()
    };
    match (who, who.split_once(", ")) {
        ("everybody", _) => Access::Public,
        ("whoever has a token", _) => Access::Token,
        ("whoever has an account", _) => Access::Account,
        ("staff", _) => Access::Staff,
        ("admins", _) => Access::Admin,
        (_, Some(("the cart's buyer", other))) => Access::Owner(Kind::Cart, permission(other)),
        (_, Some(("the order's buyer", other))) => Access::Owner(Kind::Order, permission(other)),
        (_, Some(("the payment's buyer", other))) => Access::Owner(Kind::Payment, permission(other)),
        (_, Some(("the person", other))) => Access::Owner(Kind::Subject, permission(other)),
        (other, None) => Access::Needs(permission(other)),
        (other, Some(_)) => panic!("who is {other:?}?"),
    }
}

#[test]
fn the_table_says_what_the_manual_says() {
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/IDENTITY.md");
    let manual = fs::read_to_string(manual).unwrap();
    let (_, section) = manual.split_once("\n### Every route\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let mut written = BTreeSet::new();
    for line in section.lines().filter(|line| line.starts_with("| ") && line.contains("`/")) {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [who, methods, route] = *cells else { panic!("{line}") };
        for method in methods.trim_matches('`').split(", ") {
            let row = (method.to_owned(), route.trim_matches('`').to_owned(), format!("{:?}", called(who)));
            assert!(written.insert(row), "twice: {line}");
        }
    }
    let known: BTreeSet<_> = table()
        .into_iter()
        .map(|(method, route, access)| (method.to_owned(), route.to_owned(), format!("{access:?}")))
        .collect();
    assert_eq!(known, written);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_a_path_does_not_take_is_told_without_a_token() {
    let api = Api::start().await;
    let reply = api.send(Ask::new(Method::DELETE, "/v1/orders").by_nobody()).await;
    let reply = reply.expect_problem(405, "route.method_not_allowed");
    assert_eq!(reply.header("allow"), "GET,HEAD");
    api.send(get("/v1/nowhere").by_nobody()).await.expect_problem(404, "route.unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_many_needs_the_permission_for_what_it_does() {
    let api = Api::start().await;
    let line = json!({ "key": "k1", "aggregate_type": "inventory_item", "aggregate_id": "MUG",
        "command": { "Receive": { "quantity": 1 } } });
    let status = async |permissions: &[Permission]| {
        let token = staff(&api, permissions);
        api.send(post("/v1/commands", &line).by(&token)).await.expect(207).json()
    };
    let refused = status(&[Permission::Orders, Permission::Operations]).await;
    assert_eq!((&refused["status"], &refused["values"]["needed"]), (&json!(403), &json!("inventory")));
    assert_eq!(status(&[Permission::Inventory]).await["status"], 200);
}
