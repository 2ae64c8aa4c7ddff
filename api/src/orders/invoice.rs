//! Invoices and credit notes: worked out from the order's own events, as JSON or as a page to print.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use domain::{
    AggregateType, AnyEvent,
    cart::Delivery,
    order::{Charge, Event, Line},
    value::{Money, OrderId, Quantity, Sku, Text, Time},
};
use projections::Fresh;
use serde::Serialize;
use store::{executor::Token, log::StreamId};

use super::{Opened, invoice_page, open};
use crate::{Shop, awaiting::read, extract::Path, freshness, pages::NOWHERE, problem::Problem};

/// What the document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = InvoiceKind))]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Invoice,
    CreditNote,
}

/// One row of the bill.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = InvoiceRow))]
pub(crate) struct Row {
    pub description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sku: Option<Sku>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Quantity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit_price: Option<Money>,
    /// The tax on it, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tax: Option<Money>,
    /// What it comes to, tax included.
    pub amount: Money,
}

/// The document. Its rows add up to its total.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = Invoice))]
pub(crate) struct Document {
    pub kind: Kind,
    pub year: u16,
    pub number: u64,
    #[serde(with = "store::rfc3339")]
    pub issued_at: Time,
    /// The order, or the credit note.
    pub id: OrderId,
    /// The order that a credit note credits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    pub prices_include_tax: bool,
    pub rows: Vec<Row>,
    /// The sum of the rows' tax.
    pub tax: Money,
    pub total: Money,
    pub delivery: Option<Opened>,
}

/// What the events say so far.
#[derive(Default)]
struct Bill {
    kind: Option<Kind>,
    order: Option<OrderId>,
    prices_include_tax: bool,
    lines: Vec<Row>,
    charges: Vec<Row>,
    cancelled: Vec<Row>,
    delivery: Option<Delivery>,
    number: Option<(u16, u64, Time)>,
}

/// `GET /v1/orders/{id}/invoice`: JSON, or HTML for who accepts that rather.
pub async fn show(
    State(shop): State<Arc<Shop>>,
    Path(id): Path<OrderId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let head = shop.log.head().await?;
    let reflects = Token { incarnation: head.incarnation, position: head.position };
    let mut bill = Bill::default();
    for recorded in read(&shop, &StreamId::new(AggregateType::Order, id.as_str()), 0).await? {
        for event in recorded.events {
            if let AnyEvent::Order(event) = event {
                bill.note(event);
            }
        }
    }
    if bill.kind.is_none() {
        return Err(Problem::new("order.not_found", "the log holds no such order"));
    }
    let delivery = match bill.delivery.take() {
        Some(delivery) => Some(open(&shop, &delivery).await?),
        None => None,
    };
    let document = bill
        .document(id, delivery)
        .ok_or_else(|| Problem::new("order.not_invoiced", "an order is invoiced when it first ships"))?;
    if !accepts_html(&headers) {
        return Ok(freshness::answer_for(Fresh::whole(document, reflects), NOWHERE));
    }
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    let headers = [(header::CONTENT_TYPE, html), (header::CACHE_CONTROL, NOWHERE)];
    Ok((headers, invoice_page::render(&document)).into_response())
}

fn accepts_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|kind| kind.trim().starts_with("text/html"))
}

impl Bill {
    /// What happens after it was numbered is not on it: that is what credit notes are for.
    fn note(&mut self, event: Event) {
        if self.number.is_some() {
            return;
        }
        match event {
            Event::Placed(placed) => {
                self.kind = Some(Kind::Invoice);
                self.prices_include_tax = placed.prices_include_tax;
                self.lines = self.rows_of(placed.lines);
                self.charges = self.rows_of_charges(placed.charges);
                self.delivery = placed.delivery;
            }
            Event::CreditNoteIssued(issued) => {
                self.kind = Some(Kind::CreditNote);
                self.order = issued.order;
                self.prices_include_tax = issued.prices_include_tax;
                self.lines = self.rows_of(issued.lines);
                self.charges = self.rows_of_charges(issued.charges);
            }
            Event::EditApplied { lines, .. } => {
                self.lines = self.rows_of(lines);
                self.cancelled.clear();
            }
            Event::LinesCancelled { value, .. } => self.cancelled.push(Row {
                description: "Cancelled before shipment".into(),
                sku: None,
                quantity: None,
                unit_price: None,
                tax: None,
                amount: Money::zero(value.currency).minus(value).unwrap_or(value),
            }),
            Event::Invoiced { year, number, issued_at } => self.number = Some((year, number, issued_at)),
            _ => {}
        }
    }

    fn rows_of(&self, lines: Vec<Line>) -> Vec<Row> {
        let row = |line: Line| Row {
            amount: self.amount(line.unit_price, line.quantity, line.tax),
            description: line.title.map_or_else(|| line.sku.to_string(), |title| title.to_string()),
            sku: Some(line.sku),
            quantity: Some(line.quantity),
            unit_price: Some(line.unit_price),
            tax: line.tax,
        };
        lines.into_iter().map(row).collect()
    }

    fn rows_of_charges(&self, charges: Vec<Charge>) -> Vec<Row> {
        let name = |charge: &Charge| charge.title.as_ref().unwrap_or(&charge.code).to_string();
        let row = |charge: Charge| Row {
            amount: self.amount(charge.unit_amount, charge.quantity, charge.tax),
            description: name(&charge),
            sku: None,
            quantity: Some(charge.quantity),
            unit_price: Some(charge.unit_amount),
            tax: charge.tax,
        };
        charges.into_iter().map(row).collect()
    }

    /// The order accepted these sums, so they fit.
    fn amount(&self, unit: Money, quantity: Quantity, tax: Option<Money>) -> Money {
        let net = unit.times(quantity).unwrap_or(unit);
        match tax {
            Some(tax) if !self.prices_include_tax => net.plus(tax).unwrap_or(net),
            Some(_) | None => net,
        }
    }

    fn document(self, id: OrderId, delivery: Option<Opened>) -> Option<Document> {
        let (kind, (year, number, issued_at)) = (self.kind?, self.number?);
        let rows: Vec<Row> = [self.lines, self.charges, self.cancelled].concat();
        let zero = Money::zero(rows.first()?.amount.currency);
        let sum = |amounts: Vec<Money>| amounts.into_iter().try_fold(zero, Money::plus);
        Some(Document {
            kind,
            year,
            number,
            issued_at,
            id,
            order: self.order,
            prices_include_tax: self.prices_include_tax,
            tax: sum(rows.iter().filter_map(|row| row.tax).collect())?,
            total: sum(rows.iter().map(|row| row.amount).collect())?,
            rows,
            delivery,
        })
    }
}

impl Document {
    /// The number as people write it: the year, then the place in its book.
    pub(super) fn name(&self) -> String {
        format!("{}-{:06}", self.year, self.number)
    }

    /// ISO 3166-1 code of where it goes.
    pub(super) fn country(&self) -> Option<&Text> {
        self.delivery.as_ref().map(|delivery| &delivery.country)
    }
}
