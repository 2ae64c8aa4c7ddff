//! Every route with what it says and answers; what it takes is read off its handler.

mod accounts;
mod carts;
mod catalogue;
mod log;
mod orders;
mod payments;
mod returns;
mod staff;
mod stock;
mod telling;

use super::operation::Operation;

/// A group of routes, by the name that readers see.
pub struct Group {
    pub name: &'static str,
    pub about: &'static str,
    pub operations: Vec<Operation>,
}

/// Every group, in the order in which a buyer meets them.
pub fn all() -> Vec<Group> {
    let group = |name, about, operations| Group { name, about, operations };
    vec![
        group("Catalogue", "Products: listed, found, shown, priced.", catalogue::operations()),
        group(
            "Carts",
            "Carts: opened, filled at the catalogue's prices, quoted, merged.",
            carts::operations(),
        ),
        group("Checkout", "From a cart to an order.", carts::checkout()),
        group("Orders", "Orders: shown, followed, reviewed, cancelled, shipped.", orders::operations()),
        group(
            "Edits and returns",
            "What changes on an order before it ships, and what comes back.",
            returns::operations(),
        ),
        group("Payments", "Payments: authorized, captured, voided, refunded.", payments::operations()),
        group("Stock", "What is on hand and where, received, corrected and reserved.", stock::operations()),
        group("Accounts", "Registering, logging in and out, one's own account.", accounts::operations()),
        group(
            "Second factor",
            "An authenticator app, and codes on paper for when it is lost.",
            accounts::second_factor(),
        ),
        group("Staff", "Who works here, and what they may do.", staff::operations()),
        group("Personal data", "Whoever asks to be forgotten is forgotten.", staff::personal_data()),
        group(
            "Webhooks",
            "Endpoints that are told what happens, and what is on its way to them.",
            telling::operations(),
        ),
        group("Notices", "Mails, text messages and words of carriers on their way.", telling::notices()),
        group("Webhooks in", "What other parties' systems tell by themselves.", telling::incoming()),
        group("Log", "The log itself, and commands in bulk.", log::operations()),
        group("Machinery", "For whatever runs the process, and for whoever reads this.", log::machinery()),
    ]
}
