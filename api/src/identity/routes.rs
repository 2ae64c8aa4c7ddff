//! The routes of accounts and tokens; who may use them stands in the access table.

use std::sync::Arc;

use axum::{
    Router,
    routing::{delete, get, patch, post, put},
};

use super::{addresses, login, mailed, me, payment_methods, second_factor, staff};
use crate::Shop;

/// The routes of accounts and tokens.
pub fn routes() -> Router<Arc<Shop>> {
    Router::new()
        .route("/.well-known/jwks.json", get(login::keys))
        .route("/v1/auth/register", post(login::register))
        .route("/v1/auth/login", post(login::login))
        .route("/v1/auth/refresh", post(login::refresh))
        .route("/v1/auth/guest", post(login::guest))
        .route("/v1/auth/logout", post(login::logout))
        .route("/v1/auth/logout-all", post(login::logout_all))
        .route("/v1/auth/password/forgotten", post(mailed::forgotten))
        .route("/v1/auth/password/reset", post(mailed::reset))
        .route("/v1/auth/email/verify", post(mailed::verify))
        .route("/v1/me", get(me::show).patch(me::change))
        .route("/v1/me/password", put(me::change_password))
        .route("/v1/me/email/verification", post(mailed::ask_again))
        .route("/v1/me/addresses", get(addresses::list).post(addresses::add))
        .route("/v1/me/addresses/{address}", put(addresses::replace).delete(addresses::remove))
        .route("/v1/me/payment-methods", get(payment_methods::list))
        .route("/v1/me/payment-methods/{method}", delete(payment_methods::remove))
        .route("/v1/me/second-factor", post(second_factor::enrol))
        .route("/v1/me/second-factor/confirm", post(second_factor::confirm))
        .route("/v1/me/second-factor/remove", post(second_factor::remove))
        .route("/v1/accounts", get(staff::list).post(staff::create))
        .route("/v1/accounts/{account}", patch(staff::change))
}
