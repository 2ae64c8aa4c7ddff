//! Which commands a client may send as they stand, and what is not theirs to say in them.

use domain::{AnyCommand, cart, inventory_item, order, payment, product, subject, value::Time};

use crate::Permission;

/// Whether a client may send a command as it stands.
///
/// What process managers, gateways and timers tell each other is not for clients to say. Nor is whatever carries what the
/// shop must know better: prices, totals, tax and new names; those commands have routes of their own.
#[must_use]
pub const fn is_for_clients(command: &AnyCommand) -> bool {
    match command {
        AnyCommand::Cart(command) => of_cart(command),
        AnyCommand::InventoryItem(command) => of_stock(command),
        AnyCommand::Order(command) => of_order(command),
        AnyCommand::Payment(command) => of_payment(command),
        AnyCommand::Product(product::Command::List(_) | product::Command::ChangePrice { .. }) => true,
        AnyCommand::Subject(subject::Command::Forget { .. }) => true,
        AnyCommand::Allowance(_)
        | AnyCommand::Checkout(_)
        | AnyCommand::Fulfilment(_)
        | AnyCommand::InvoiceBook(_) => false,
    }
}

/// What a member of the staff needs to send a command as it stands.
#[must_use]
pub const fn needed_for(command: &AnyCommand) -> Permission {
    use order::Command as O;
    match command {
        AnyCommand::Order(
            O::HoldForReview { .. } | O::ReleaseFromReview { .. } | O::RejectAfterReview { .. },
        ) => Permission::Reviews,
        AnyCommand::Cart(_) | AnyCommand::Order(_) => Permission::Orders,
        AnyCommand::InventoryItem(_) => Permission::Inventory,
        AnyCommand::Payment(_) => Permission::Payments,
        AnyCommand::Product(_) => Permission::Catalogue,
        AnyCommand::Subject(_) => Permission::PersonalData,
        AnyCommand::Allowance(_)
        | AnyCommand::Checkout(_)
        | AnyCommand::Fulfilment(_)
        | AnyCommand::InvoiceBook(_) => Permission::Operations,
    }
}

const fn of_cart(command: &cart::Command) -> bool {
    use cart::Command as C;
    match command {
        C::Open { .. } | C::SetQuantity { .. } | C::RemoveLine { .. } => true,
        C::AddLine { .. }
        | C::AcceptPrices { .. }
        | C::CheckOut { .. }
        | C::Expire { .. }
        | C::MergeInto { .. }
        | C::TakeLines { .. }
        | C::UndoMerge { .. } => false,
    }
}

const fn of_stock(command: &inventory_item::Command) -> bool {
    use inventory_item::Command as C;
    match command {
        C::Receive { .. }
        | C::Adjust { .. }
        | C::Count { .. }
        | C::Transfer { .. }
        | C::Reserve { .. }
        | C::Extend { .. }
        | C::Release { .. }
        | C::Allocate { .. }
        | C::SetPolicy { .. }
        | C::SetReorderPoint { .. } => true,
        C::Expire { .. } | C::PutBack { .. } => false,
    }
}

const fn of_order(command: &order::Command) -> bool {
    use order::Command as C;
    match command {
        C::HoldForReview { .. }
        | C::ReleaseFromReview { .. }
        | C::RejectAfterReview { .. }
        | C::Cancel { .. }
        | C::CancelLines { .. }
        | C::Ship { .. }
        | C::ChangeTracking { .. }
        | C::Deliver { .. }
        | C::BeginEdit { .. }
        | C::AbandonEdit { .. }
        | C::RequestReturn { .. }
        | C::ApproveReturn { .. }
        | C::RejectReturn { .. }
        | C::ReceiveReturn { .. }
        | C::IssueCreditNote(_) => true,
        C::Place(_)
        | C::Confirm {}
        | C::StageEdit { .. }
        | C::CommitEdit { .. }
        | C::ApplyEdit { .. }
        | C::RejectEdit { .. }
        | C::RecordTransit { .. }
        | C::RecordReturnRefunded { .. }
        | C::RecordInvoice { .. } => false,
    }
}

const fn of_payment(command: &payment::Command) -> bool {
    use payment::Command as C;
    match command {
        C::Authorize { token: payment::Token::Plain(_), keep_for: None, .. }
        | C::Capture { .. }
        | C::Void {}
        | C::Refund { .. } => true,
        // What is kept is its owner's to pay with, by way of its route.
        C::Authorize { .. }
        | C::RecordDispute { .. }
        | C::RecordPending { .. }
        | C::SeekAnswer { .. }
        | C::OpenIntent { .. }
        | C::RecordAuthorization { .. }
        | C::RecordCapture { .. }
        | C::RecordVoid { .. }
        | C::VoidSurplus { .. }
        | C::RecordRefund { .. } => false,
    }
}

/// What time it is, is for the clock to say: a hold that ended by a client's clock would be another buyer's units, and a
/// document dated by one would stand in another year's book.
pub fn is_now(command: &mut AnyCommand, time: Time) {
    match command {
        AnyCommand::InventoryItem(
            inventory_item::Command::Reserve { now, .. }
            | inventory_item::Command::Extend { now, .. }
            | inventory_item::Command::Allocate { now, .. },
        )
        | AnyCommand::Order(order::Command::ReceiveReturn { issued_at: now, .. }) => *now = time,
        AnyCommand::Order(order::Command::IssueCreditNote(credit)) => credit.issued_at = time,
        _ => {}
    }
}
