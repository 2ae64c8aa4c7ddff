//! Old checkouts: they did not say which capture a refund was due for.

use domain::AggregateType;

use super::Upcaster;

pub(super) const UPCASTERS: &[Upcaster] = &[Upcaster {
    aggregate_type: AggregateType::Checkout,
    event_type: "RefundDue",
    from: "1",
    to: "2",
    change: |payload| payload,
}];
