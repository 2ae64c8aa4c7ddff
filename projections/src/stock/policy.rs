//! What happens when more is asked for than is available, as clients read and write it.

use domain::{inventory_item::StockPolicy, value::Time};
use serde::{Deserialize, Deserializer, Serialize};

use super::moment_if_any;

/// A policy, named by `kind`, with its times as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = StockPolicy))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Policy {
    /// It is refused.
    Deny {},
    /// Up to `limit` units may be promised that are still to come.
    Backorder {
        #[serde(default)]
        limit: Option<u32>,
        #[serde(default, serialize_with = "moment_if_any", deserialize_with = "some_moment_if_any")]
        promised_at: Option<Time>,
    },
    /// Up to `limit` units may be promised for the day when the SKU is out.
    Preorder {
        #[serde(default)]
        limit: Option<u32>,
        #[serde(with = "store::rfc3339")]
        available_from: Time,
    },
}

impl From<Policy> for StockPolicy {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Deny {} => Self::Deny,
            Policy::Backorder { limit, promised_at } => Self::Backorder { limit, promised_at },
            Policy::Preorder { limit, available_from } => Self::Preorder { limit, available_from },
        }
    }
}

impl From<StockPolicy> for Policy {
    fn from(policy: StockPolicy) -> Self {
        match policy {
            StockPolicy::Deny => Self::Deny {},
            StockPolicy::Backorder { limit, promised_at } => Self::Backorder { limit, promised_at },
            StockPolicy::Preorder { limit, available_from } => Self::Preorder { limit, available_from },
        }
    }
}

fn some_moment_if_any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Time>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| store::rfc3339::parse(&text)).transpose().map_err(serde::de::Error::custom)
}
