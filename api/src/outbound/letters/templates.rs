//! The templates, and what fills them. The names of files decide what is escaped: `.html` everything, `.txt` nothing.

use askama::Template;

use super::{
    Letter, LetterError,
    facts::{Ordered, Row},
    one_line,
};

/// What every letter to a buyer is filled with.
#[derive(Clone, Copy)]
struct About<'a> {
    shop: &'a str,
    name: &'a str,
    order: &'a Ordered,
}

/// A letter's two templates, filled with the same.
macro_rules! letter {
    ($html:ident $html_path:literal, $text:ident $text_path:literal, { $($field:ident: $kind:ty,)+ }) => {
        #[derive(Template)]
        #[template(path = $html_path)]
        struct $html<'a> { $($field: $kind,)+ }

        #[derive(Template)]
        #[template(path = $text_path)]
        struct $text<'a> { $($field: $kind,)+ }
    };
}

letter!(ConfirmedHtml "mail/confirmed.html", ConfirmedText "mail/confirmed.txt", { about: About<'a>, });
letter!(ShippedHtml "mail/shipped.html", ShippedText "mail/shipped.txt", {
    about: About<'a>,
    sent: &'a [Row],
    carrier: &'a str,
    tracking: Option<&'a str>,
});
letter!(RefundedHtml "mail/refunded.html", RefundedText "mail/refunded.txt", {
    about: About<'a>,
    amount: &'a str,
});
letter!(CancelledHtml "mail/cancelled.html", CancelledText "mail/cancelled.txt", {
    about: About<'a>,
    why: &'a str,
});
letter!(AccountHtml "mail/account.html", AccountText "mail/account.txt", {
    shop: &'a str,
    lines: &'a [&'a str],
    link: Option<&'a str>,
    code: Option<&'a str>,
});
letter!(LowHtml "mail/low_stock.html", LowText "mail/low_stock.txt", {
    shop: &'a str,
    sku: &'a str,
    available: i64,
    reorder_point: u32,
});

letter!(DisputedHtml "mail/disputed.html", DisputedText "mail/disputed.txt", {
    shop: &'a str,
    order: &'a str,
    dispute: &'a str,
    amount: &'a str,
    reason: &'a str,
});

fn letter(subject: &str, text: &impl Template, html: &impl Template) -> Result<Letter, LetterError> {
    Ok(Letter { subject: one_line(subject), text: text.render()?, html: html.render()? })
}

pub(super) fn confirmed(shop: &str, name: &str, order: &Ordered) -> Result<Letter, LetterError> {
    let about = About { shop, name, order };
    let subject = format!("{shop}: your order {} is confirmed", order.id);
    letter(&subject, &ConfirmedText { about }, &ConfirmedHtml { about })
}

pub(super) fn shipped(
    shop: &str,
    name: &str,
    order: &Ordered,
    (sent, carrier, tracking): (&[Row], &str, Option<&str>),
) -> Result<Letter, LetterError> {
    let about = About { shop, name, order };
    let subject = format!("{shop}: your order {} is on its way", order.id);
    let text = ShippedText { about, sent, carrier, tracking };
    letter(&subject, &text, &ShippedHtml { about, sent, carrier, tracking })
}

pub(super) fn refunded(shop: &str, name: &str, order: &Ordered, amount: &str) -> Result<Letter, LetterError> {
    let about = About { shop, name, order };
    let subject = format!("{shop}: {amount} for your order {} is refunded", order.id);
    letter(&subject, &RefundedText { about, amount }, &RefundedHtml { about, amount })
}

pub(super) fn cancelled(shop: &str, name: &str, order: &Ordered, why: &str) -> Result<Letter, LetterError> {
    let about = About { shop, name, order };
    let subject = format!("{shop}: your order {} is cancelled", order.id);
    letter(&subject, &CancelledText { about, why }, &CancelledHtml { about, why })
}

pub(super) fn low_stock(
    shop: &str,
    sku: &str,
    available: i64,
    reorder_point: u32,
) -> Result<Letter, LetterError> {
    let subject = format!("{shop}: {sku} is low on stock");
    let text = LowText { shop, sku, available, reorder_point };
    letter(&subject, &text, &LowHtml { shop, sku, available, reorder_point })
}

pub(super) fn disputed(
    shop: &str,
    (order, dispute): (&str, &str),
    amount: &str,
    reason: &str,
) -> Result<Letter, LetterError> {
    let subject = format!("{shop}: {amount} of order {order} is disputed");
    let text = DisputedText { shop, order, dispute, amount, reason };
    letter(&subject, &text, &DisputedHtml { shop, order, dispute, amount, reason })
}

pub(super) fn account(
    shop: &str,
    subject: &str,
    lines: &[&str],
    (link, code): (Option<&str>, Option<&str>),
) -> Result<Letter, LetterError> {
    let subject = format!("{shop}: {subject}");
    letter(&subject, &AccountText { shop, lines, link, code }, &AccountHtml { shop, lines, link, code })
}
