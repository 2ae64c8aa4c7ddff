//! What is on an order changes before anything ships.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use domain::{
    order::{self, Command},
    value::{EditId, OrderId, PaymentId, Quantity, Sku},
};
use serde::{Deserialize, Serialize};

use super::Nothing;
use crate::{
    Shop,
    extract::{Json, OptionalJson, Path},
    freshness::Freshness,
    idempotency::Call,
    problem::Problem,
};

/// Something to be changed; lines are counted from 0, and what is added has the catalogue's price of now.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = EditChange))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Change {
    SetQuantity { line: u32, quantity: Quantity },
    RemoveLine { line: u32 },
    AddLine { sku: Sku, quantity: Quantity },
}

/// All that is to be changed.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = StageEdit))]
#[serde(deny_unknown_fields)]
pub struct Stage {
    changes: Vec<Change>,
}

/// `POST /v1/orders/{id}/edits`
pub async fn begin(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path(id): Path<OrderId>,
    OptionalJson(body): OptionalJson<Nothing>,
) -> Result<Response, Problem> {
    let run = call.keyed(&shop, &body)?;
    let edit = EditId::from(run.new_id(&shop, "edit"));
    let done = run.execute(&shop, id.as_str(), Command::BeginEdit { edit: edit.clone() }).await?;
    Ok(done.created(edit.as_str(), &format!("/v1/orders/{id}")))
}

/// `POST /v1/orders/{id}/edits/{edit}/stage`
pub async fn stage(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path((id, edit)): Path<(OrderId, EditId)>,
    Freshness(freshness): Freshness,
    Json(body): Json<Stage>,
) -> Result<Response, Problem> {
    let run = call.run(&shop, &body)?;
    if body.changes.len() > order::LINES_MAX {
        return Err(Problem::new(
            "request.invalid",
            format!("an edit has at most {} changes", order::LINES_MAX),
        ));
    }
    let mut changes = Vec::with_capacity(body.changes.len());
    for change in body.changes {
        changes.push(priced(&shop, change, freshness).await?);
    }
    let command = Command::StageEdit { edit, changes };
    Ok(run.execute(&shop, id.as_str(), command).await?.ok(id.as_str()))
}

async fn priced(
    shop: &Shop,
    change: Change,
    freshness: projections::Freshness,
) -> Result<order::Change, Problem> {
    Ok(match change {
        Change::SetQuantity { line, quantity } => order::Change::SetQuantity { line, quantity },
        Change::RemoveLine { line } => order::Change::RemoveLine { line },
        Change::AddLine { sku, quantity } => {
            let Some(offer) = shop.written.variant(&sku, freshness).await?.value else {
                let unknown = Problem::new("product.unknown_sku", "the catalogue has no such SKU");
                return Err(unknown.with("sku", &sku));
            };
            order::Change::AddLine(order::Line {
                sku: offer.sku,
                title: Some(offer.title),
                quantity,
                unit_price: offer.price,
                tax: None,
            })
        }
    })
}

/// `POST /v1/orders/{id}/edits/{edit}/commit`
pub async fn commit(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path((id, edit)): Path<(OrderId, EditId)>,
    OptionalJson(body): OptionalJson<Nothing>,
) -> Result<Response, Problem> {
    let run = call.run(&shop, &body)?;
    let now = shop.clock.now();
    let command = Command::CommitEdit {
        edit,
        payment: Some(PaymentId::from(run.new_id(&shop, "payment"))),
        pay_by: Some(now.plus_millis(shop.settings.payment_window_ms)),
        now,
    };
    Ok(run.execute(&shop, id.as_str(), command).await?.ok(id.as_str()))
}

/// `POST /v1/orders/{id}/edits/{edit}/abandon`
pub async fn abandon(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path((id, edit)): Path<(OrderId, EditId)>,
    OptionalJson(body): OptionalJson<Nothing>,
) -> Result<Response, Problem> {
    let run = call.run(&shop, &body)?;
    let command = Command::AbandonEdit { edit };
    Ok(run.execute(&shop, id.as_str(), command).await?.ok(id.as_str()))
}
