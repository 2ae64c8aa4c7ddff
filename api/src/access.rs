//! Who may use which route: one table, and the one place that enforces it.

use std::{collections::HashMap, sync::LazyLock};

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts as _, MatchedPath, RawPathParams, Request, State},
    http::{Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use domain::value::{CartId, OrderId, PaymentId};

use crate::{
    Shop, ingress,
    principal::{Permission, Principal},
    problem::Problem,
    request,
};

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody; a token is not even looked at.
    Public,
    /// Whoever has a token, guests too. What is whose is for the handler to see.
    Token,
    /// Whoever has an account.
    Account,
    /// Whose it is that the path's first parameter names, and the staff with the permission.
    Owner(Kind, Permission),
    /// The staff with the permission.
    Needs(Permission),
    /// The staff; what may be done is for the handler to see.
    Staff,
    /// Admins.
    Admin,
}

/// What belongs to somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A cart.
    Cart,
    /// An order, or a credit note.
    Order,
    /// A payment, which is its order's.
    Payment,
    /// Somebody's own personal data.
    Subject,
}

/// A path, with who may do what there by method. `HEAD` is `GET`.
pub type Route = (&'static str, &'static [(&'static str, Access)]);

use Access::{Account, Admin, Needs, Owner, Public, Staff, Token};
use Permission::{Analytics, Catalogue, Inventory, Operations, Orders, Payments, PersonalData, Reviews};

/// The cart's buyer, and who looks after orders.
const CART: Access = Owner(Kind::Cart, Orders);
/// The order's buyer, and who looks after orders.
const ORDER: Access = Owner(Kind::Order, Orders);
/// The order's buyer, and who looks after payments.
const PAYMENT: Access = Owner(Kind::Payment, Payments);

/// Every route. One that does not stand here answers nobody.
pub const ROUTES: &[Route] = &[
    ("/v1/products", &[("GET", Public), ("POST", Needs(Catalogue))]),
    ("/v1/products/suggest", &[("GET", Public)]),
    ("/v1/products/{id}", &[("GET", Public)]),
    ("/v1/products/{id}/prices/{sku}", &[("PUT", Needs(Catalogue))]),
    ("/v1/carts", &[("POST", Token)]),
    ("/v1/carts/{id}", &[("GET", CART)]),
    ("/v1/carts/{id}/items", &[("POST", CART)]),
    ("/v1/carts/{id}/items/{sku}", &[("PUT", CART), ("DELETE", CART)]),
    ("/v1/carts/{id}/accept-prices", &[("POST", CART)]),
    ("/v1/carts/{id}/quote", &[("POST", CART)]),
    // The cart is a guest's, and its owner now somebody else: the guest's token in the body proves it.
    ("/v1/carts/{id}/merge", &[("POST", Token)]),
    // The cart stands in the body.
    ("/v1/checkouts", &[("POST", Token)]),
    ("/v1/orders", &[("GET", Token)]),
    ("/v1/orders/{id}", &[("GET", ORDER)]),
    ("/v1/orders/{id}/events", &[("GET", ORDER)]),
    ("/v1/orders/{id}/live", &[("GET", ORDER)]),
    ("/v1/orders/{id}/invoice", &[("GET", ORDER)]),
    ("/v1/orders/{id}/hold", &[("POST", Needs(Reviews))]),
    ("/v1/orders/{id}/release", &[("POST", Needs(Reviews))]),
    ("/v1/orders/{id}/reject", &[("POST", Needs(Reviews))]),
    ("/v1/orders/{id}/cancel", &[("POST", ORDER)]),
    ("/v1/orders/{id}/cancel-lines", &[("POST", ORDER)]),
    ("/v1/orders/{id}/shipments", &[("POST", Needs(Orders))]),
    ("/v1/orders/{id}/shipments/{shipment}/tracking", &[("POST", Needs(Orders))]),
    ("/v1/orders/{id}/shipments/{shipment}/deliver", &[("POST", Needs(Orders))]),
    ("/v1/orders/{id}/edits", &[("POST", ORDER)]),
    ("/v1/orders/{id}/edits/{edit}/stage", &[("POST", ORDER)]),
    ("/v1/orders/{id}/edits/{edit}/commit", &[("POST", ORDER)]),
    ("/v1/orders/{id}/edits/{edit}/abandon", &[("POST", ORDER)]),
    ("/v1/orders/{id}/returns", &[("POST", ORDER)]),
    ("/v1/orders/{id}/returns/{return}/approve", &[("POST", Needs(Orders))]),
    ("/v1/orders/{id}/returns/{return}/reject", &[("POST", Needs(Orders))]),
    ("/v1/orders/{id}/returns/{return}/receive", &[("POST", Needs(Orders))]),
    ("/v1/payments/{id}", &[("GET", PAYMENT)]),
    ("/v1/payments/{id}/authorize", &[("POST", PAYMENT)]),
    ("/v1/payments/{id}/capture", &[("POST", Needs(Payments))]),
    ("/v1/payments/{id}/void", &[("POST", Needs(Payments))]),
    ("/v1/payments/{id}/refund", &[("POST", Needs(Payments))]),
    ("/v1/inventory", &[("GET", Needs(Inventory))]),
    ("/v1/inventory/{sku}", &[("GET", Needs(Inventory))]),
    ("/v1/inventory/{sku}/receive", &[("POST", Needs(Inventory))]),
    ("/v1/inventory/{sku}/adjust", &[("POST", Needs(Inventory))]),
    ("/v1/inventory/{sku}/count", &[("POST", Needs(Inventory))]),
    ("/v1/inventory/{sku}/transfer", &[("POST", Needs(Inventory))]),
    ("/v1/inventory/{sku}/policy", &[("PUT", Needs(Inventory))]),
    ("/v1/inventory/{sku}/reorder-point", &[("PUT", Needs(Inventory))]),
    ("/v1/inventory/{sku}/reservations", &[("GET", Needs(Inventory)), ("POST", Needs(Inventory))]),
    ("/v1/inventory/{sku}/reservations/{id}", &[("DELETE", Needs(Inventory))]),
    ("/v1/inventory/{sku}/reservations/{id}/extend", &[("POST", Needs(Inventory))]),
    ("/v1/inventory/{sku}/reservations/{id}/allocate", &[("POST", Needs(Inventory))]),
    // Whoever works here is forgotten by admins alone, which the handler sees to.
    ("/v1/subjects/{subject}/forget", &[("POST", Owner(Kind::Subject, PersonalData))]),
    // Each line needs the permission for what it does.
    ("/v1/commands", &[("POST", Staff)]),
    ("/v1/events", &[("GET", Needs(Analytics))]),
    ("/v1/webhook-endpoints", &[("GET", Needs(Operations)), ("POST", Needs(Operations))]),
    (
        "/v1/webhook-endpoints/{id}",
        &[("GET", Needs(Operations)), ("PATCH", Needs(Operations)), ("DELETE", Needs(Operations))],
    ),
    ("/v1/webhook-endpoints/{id}/rotate-secret", &[("POST", Needs(Operations))]),
    ("/v1/webhook-endpoints/{id}/replay", &[("POST", Needs(Operations))]),
    ("/v1/webhook-deliveries", &[("GET", Needs(Operations))]),
    ("/v1/webhook-deliveries/{id}", &[("GET", Needs(Operations))]),
    ("/v1/webhook-deliveries/{id}/replay", &[("POST", Needs(Operations))]),
    ("/v1/notices", &[("GET", Needs(Operations))]),
    ("/v1/notices/{id}", &[("GET", Needs(Operations))]),
    ("/v1/notices/{id}/replay", &[("POST", Needs(Operations))]),
    // Whoever sends them signs them.
    ("/v1/webhooks/carriers/{carrier}", &[("POST", Public)]),
    ("/v1/webhooks/stripe", &[("POST", Public)]),
    ("/healthz", &[("GET", Public)]),
    ("/readyz", &[("GET", Public)]),
    ("/metrics", &[("GET", Public)]),
    ("/openapi.json", &[("GET", Public)]),
    ("/asyncapi.json", &[("GET", Public)]),
    ("/docs", &[("GET", Public)]),
    ("/.well-known/jwks.json", &[("GET", Public)]),
    ("/v1/auth/register", &[("POST", Public)]),
    ("/v1/auth/login", &[("POST", Public)]),
    ("/v1/auth/refresh", &[("POST", Public)]),
    ("/v1/auth/guest", &[("POST", Public)]),
    // With an access token, or the refresh token in the body.
    ("/v1/auth/logout", &[("POST", Public)]),
    ("/v1/auth/logout-all", &[("POST", Account)]),
    ("/v1/auth/password/forgotten", &[("POST", Public)]),
    ("/v1/auth/password/reset", &[("POST", Public)]),
    ("/v1/auth/email/verify", &[("POST", Public)]),
    ("/v1/me", &[("GET", Account), ("PATCH", Account)]),
    ("/v1/me/password", &[("PUT", Account)]),
    ("/v1/me/email/verification", &[("POST", Account)]),
    ("/v1/me/addresses", &[("GET", Account), ("POST", Account)]),
    ("/v1/me/addresses/{address}", &[("PUT", Account), ("DELETE", Account)]),
    ("/v1/me/payment-methods", &[("GET", Account)]),
    ("/v1/me/payment-methods/{method}", &[("DELETE", Account)]),
    ("/v1/me/second-factor", &[("POST", Account)]),
    ("/v1/me/second-factor/confirm", &[("POST", Account)]),
    ("/v1/me/second-factor/remove", &[("POST", Account)]),
    ("/v1/accounts", &[("GET", Admin), ("POST", Admin)]),
    ("/v1/accounts/{account}", &[("PATCH", Admin)]),
];

static BY_PATH: LazyLock<HashMap<&str, &[(&str, Access)]>> =
    LazyLock::new(|| ROUTES.iter().map(|(path, methods)| (*path, *methods)).collect());

/// What stands in the table.
enum Ruled {
    By(Access),
    /// The path takes other methods: the router says which.
    OtherMethods,
    Nothing,
}

fn ruled(path: &str, method: &Method) -> Ruled {
    let Some(methods) = BY_PATH.get(path) else { return Ruled::Nothing };
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    let found = methods.iter().find(|(name, _)| *name == method);
    found.map_or(Ruled::OtherMethods, |(_, access)| Ruled::By(*access))
}

/// Lets a request pass whose principal may use the route, and tells the handler who it is.
pub async fn enforce(
    State(shop): State<Arc<Shop>>,
    route: MatchedPath,
    asked: Request,
    next: Next,
) -> Result<Response, Problem> {
    request::is_at(route.clone());
    let access = match ruled(route.as_str(), asked.method()) {
        Ruled::By(access) => access,
        // With the router's Allow, and the problem that is written for this status.
        Ruled::OtherMethods => return Ok(StatusCode::METHOD_NOT_ALLOWED.into_response()),
        Ruled::Nothing if cfg!(debug_assertions) => {
            return Err(Problem::internal(&format!("{} has no access rules", route.as_str())));
        }
        Ruled::Nothing => return Err(forbidden("nothing")),
    };
    let (mut parts, body) = asked.into_parts();
    let principal = match access {
        Public => Principal::Nobody,
        _ => shop.identity.principal(&parts.headers)?,
    };
    match (access, &principal) {
        (Public, _) => {}
        (_, Principal::Nobody) => return Err(nobody()),
        (Token, _) => {}
        (Account, _) if principal.member().is_some() => {}
        (Account, _) => return Err(forbidden("an account")),
        (Staff, _) if principal.is_staff() => {}
        (Staff, _) => return Err(forbidden("staff")),
        (Admin, Principal::Admin(_)) => {}
        (Admin, _) => return Err(forbidden("admin")),
        (Needs(permission), _) => needs(&principal, permission)?,
        (Owner(_, permission), _) if principal.may(permission) => {}
        (Owner(kind, permission), _) => {
            let params = RawPathParams::from_request_parts(&mut parts, &shop).await;
            let params = params.map_err(|error| Problem::new("request.malformed", error.to_string()))?;
            let id = params.iter().next().map(|(_, id)| id).unwrap_or_default();
            owned(&shop, &principal, kind, id, permission).await?;
        }
    }
    request::is_by(principal.kind());
    parts.extensions.insert(principal.clone());
    let answer = next.run(Request::from_parts(parts, body));
    Ok(ingress::by_principal(&shop, &principal, answer).await)
}

/// Refuses whoever has not got the permission.
///
/// # Errors
/// `auth.forbidden`.
pub fn needs(principal: &Principal, permission: Permission) -> Result<(), Problem> {
    if principal.may(permission) { Ok(()) } else { Err(forbidden(permission.as_str())) }
}

/// Refuses whoever it does not belong to and has not got the permission. To a stranger it is as if it were not there.
///
/// # Errors
/// `auth.forbidden`, or that there is no such thing.
pub async fn owned(
    shop: &Shop,
    principal: &Principal,
    kind: Kind,
    id: &str,
    permission: Permission,
) -> Result<(), Problem> {
    if principal.may(permission) {
        return Ok(());
    }
    let Some(customer) = principal.customer() else { return Err(forbidden(permission.as_str())) };
    let missing = match kind {
        Kind::Cart => CartId::new(id).map(|_| "cart.not_found")?,
        Kind::Order => OrderId::new(id).map(|_| "order.not_found")?,
        Kind::Payment => PaymentId::new(id).map(|_| "payment.not_found")?,
        Kind::Subject if id.strip_prefix("customer:") == Some(customer.as_str()) => return Ok(()),
        Kind::Subject => return Err(forbidden(permission.as_str())),
    };
    match shop.owners.of(shop, kind, id).await? {
        Some(Some(owner)) if owner == *customer => Ok(()),
        _ => Err(Problem::new(missing, "there is none of that id that is yours")),
    }
}

/// The problem of somebody who is known and may not.
#[must_use]
pub fn forbidden(needed: &'static str) -> Problem {
    let challenge = format!(r#"Bearer realm="daybook", error="insufficient_scope", scope="{needed}""#);
    Problem::new("auth.forbidden", format!("this is for others; it needs {needed}"))
        .with("needed", needed)
        .with_header(header::WWW_AUTHENTICATE, &challenge)
}

/// The problem of somebody who sent no token.
pub fn nobody() -> Problem {
    Problem::new("auth.required", "send `Authorization: Bearer <token>`; POST /v1/auth/guest gives a guest's")
        .with_header(header::WWW_AUTHENTICATE, r#"Bearer realm="daybook""#)
}
