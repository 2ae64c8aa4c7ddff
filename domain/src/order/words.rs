//! The words that an order's commands and events are made of.

use serde::{Deserialize, Serialize};

use crate::{
    cart::Delivery,
    payment::{CaptureWhen, Method},
    value::{CartId, CustomerId, Money, OrderId, PaymentId, Quantity, Sku, Text, Time},
};

/// So many units of a SKU at a price. A SKU may stand on several lines, at several prices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = OrderLine))]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// What.
    pub sku: Sku,
    /// Its name as sold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Text>,
    /// How many.
    pub quantity: Quantity,
    /// The price of one, above or equal to zero.
    pub unit_price: Money,
    /// The tax on all of them, where it is known: above or equal to zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax: Option<Money>,
}

/// Something on the bill that is not goods: postage, a fee, a discount (below zero).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Charge {
    /// The shop's code for it, such as `POST`.
    pub code: Text,
    /// Its name on the bill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Text>,
    /// How many.
    pub quantity: Quantity,
    /// The amount of one.
    pub unit_amount: Money,
    /// The tax on all of them, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax: Option<Money>,
}

/// Units of one of an order's lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Units {
    /// The line's place among the order's lines, from 0.
    pub line: u32,
    /// How many of it.
    pub quantity: Quantity,
}

/// Units of a SKU, whatever lines they stand on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SkuUnits {
    /// Which.
    pub sku: Sku,
    /// How many of it.
    pub quantity: Quantity,
}

/// How an order is paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// The intent that pays it.
    pub payment: PaymentId,
    /// With what.
    pub method: Method,
    /// When the money is taken.
    pub capture: CaptureWhen,
}

/// What becomes of a unit that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// It can be sold again.
    Restock,
    /// It cannot.
    WriteOff,
}

/// Units of one of an order's lines that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ReceivedUnits {
    /// The line's place among the order's lines, from 0.
    pub line: u32,
    /// How many of it.
    pub quantity: Quantity,
    /// What becomes of them.
    pub disposition: Disposition,
}

/// Something to be changed about an order's lines. Lines are named by their place, from 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Change {
    /// So many units of it are to be shipped.
    SetQuantity { line: u32, quantity: Quantity },
    /// It is not to be shipped.
    RemoveLine { line: u32 },
    /// That is to be shipped as well.
    AddLine(Line),
}

/// Why changes could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EditFailure {
    /// Something that they add could not be allocated.
    OutOfStock,
    /// What they cost more was not paid in time.
    NotPaid,
    /// The order was called off meanwhile.
    OrderClosed,
}

/// What a carrier tells of a shipment that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Transit {
    /// It moves.
    InTransit,
    /// Something is in its way: nobody was at home, the address is wrong, it is damaged.
    Exception,
}

/// Where an order came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A cart was checked out.
    Cart(CartId),
    /// Another system's invoice, by its number there.
    Import(Text),
}

/// Why an order was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// The buyer asked for it.
    CustomerRequest,
    /// Staff decided it.
    Staff,
    /// Something on it could not be reserved.
    OutOfStock,
    /// The payment was declined.
    PaymentDeclined,
    /// No payment came in time.
    PaymentTimedOut,
    /// A review found that it must not go on.
    Rejected,
    /// The last of its lines was cancelled.
    LinesCancelled,
    /// Its customer has bought as many as one may.
    PurchaseLimit,
}

/// What an order is placed with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Placement {
    /// Who buys, unless a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// Where it came from.
    pub source: Source,
    /// Goods.
    #[serde(default)]
    pub lines: Vec<Line>,
    /// Everything else on the bill.
    #[serde(default)]
    pub charges: Vec<Charge>,
    /// Whether taxes are part of the prices, as they are unless it is said; otherwise they come on top.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub prices_include_tax: bool,
    /// How it is paid, if there is anything to pay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<Terms>,
    /// Who gets it and where; orders of other systems may lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivery>,
    /// Country name or code as the source gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Text>,
    /// When it was placed, in business time.
    pub placed_at: Time,
}

/// What a credit note is issued with; quantities and amounts are what goes back to the buyer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credit {
    /// Who gets it, unless a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// Where it came from.
    pub source: Source,
    /// The order that it credits, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// Goods that came back.
    #[serde(default)]
    pub lines: Vec<Line>,
    /// Everything else credited.
    #[serde(default)]
    pub charges: Vec<Charge>,
    /// Whether taxes are part of the prices, as they are unless it is said; otherwise they come on top.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub prices_include_tax: bool,
    /// Country name or code as the source gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Text>,
    /// When it was issued, in business time.
    pub issued_at: Time,
}

/// What a credit note has to say; when and for which order is for whoever issues it to add.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreditDue {
    /// Who gets it, unless a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// Where the order came from.
    pub source: Source,
    /// Goods, with their share of the line's tax.
    pub lines: Vec<Line>,
    /// Everything else credited, such as the goods' share of a discount.
    pub charges: Vec<Charge>,
    /// Whether taxes are part of the prices, or come on top.
    pub prices_include_tax: bool,
    /// Country name or code as the source gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Text>,
}

impl CreditDue {
    /// The credit note itself.
    #[must_use]
    pub fn issued(self, order: OrderId, issued_at: Time) -> Credit {
        let Self { customer, source, lines, charges, prices_include_tax, country } = self;
        Credit {
            customer,
            source,
            order: Some(order),
            lines,
            charges,
            prices_include_tax,
            country,
            issued_at,
        }
    }
}

const fn yes() -> bool {
    true
}

const fn is_yes(value: &bool) -> bool {
    *value
}
