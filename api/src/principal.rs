//! Who is asking, and what they may do.

use std::sync::Arc;

use axum::{extract::FromRequestParts, http::request::Parts};
use domain::value::CustomerId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::problem::Problem;

/// What a member of the staff may be allowed; an admin may do all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Products and prices.
    Catalogue,
    /// Stock, places, reservations.
    Inventory,
    /// Carts and orders of anybody, shipments and returns.
    Orders,
    /// Captures, voids and refunds.
    Payments,
    /// What is held or published once somebody has looked at it.
    Reviews,
    /// The log as a whole.
    Analytics,
    /// Forgetting people.
    PersonalData,
    /// Running the shop's machinery.
    Operations,
}

/// Some permissions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Permission>", into = "Vec<Permission>")]
pub struct Permissions(u16);

/// Somebody with an account, in one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The account.
    pub account: Uuid,
    /// The log-in that the token comes from.
    pub session: Uuid,
    /// As the log knows them when they buy.
    pub customer: CustomerId,
}

/// Who is asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// Somebody who sent no token.
    Nobody,
    /// A customer without an account; the id says so.
    Guest(CustomerId),
    /// A customer with an account.
    Customer(Member),
    /// A member of the staff.
    Staff(Member, Permissions),
    /// Somebody who may do everything.
    Admin(Member),
}

impl Permission {
    /// Every permission there is.
    pub const ALL: [Self; 8] = [
        Self::Catalogue,
        Self::Inventory,
        Self::Orders,
        Self::Payments,
        Self::Reviews,
        Self::Analytics,
        Self::PersonalData,
        Self::Operations,
    ];

    /// As tokens, rows and problems name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Catalogue => "catalogue",
            Self::Inventory => "inventory",
            Self::Orders => "orders",
            Self::Payments => "payments",
            Self::Reviews => "reviews",
            Self::Analytics => "analytics",
            Self::PersonalData => "personal_data",
            Self::Operations => "operations",
        }
    }

    /// The permission of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.as_str() == name)
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl Permissions {
    /// Whether one of them is among these.
    #[must_use]
    pub const fn contain(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    /// Their names.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        Vec::from(self).into_iter().map(Permission::as_str).collect()
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().fold(0, |bits, permission| bits | permission.bit()))
    }
}

impl From<Vec<Permission>> for Permissions {
    fn from(permissions: Vec<Permission>) -> Self {
        permissions.into_iter().collect()
    }
}

impl From<Permissions> for Vec<Permission> {
    fn from(permissions: Permissions) -> Self {
        Permission::ALL.into_iter().filter(|permission| permissions.contain(*permission)).collect()
    }
}

impl Principal {
    /// As the events' metadata name it; also the scope of idempotency keys.
    #[must_use]
    pub fn actor(&self) -> Arc<str> {
        match self {
            Self::Nobody => "nobody".into(),
            Self::Guest(id) => format!("guest:{id}").into(),
            Self::Customer(member) => format!("customer:{}", member.customer).into(),
            Self::Staff(member, _) => format!("staff:{}", member.account).into(),
            Self::Admin(member) => format!("admin:{}", member.account).into(),
        }
    }

    /// What kind of principal it is, which says nothing of who.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Guest(_) => "guest",
            Self::Customer(_) => "customer",
            Self::Staff(..) => "staff",
            Self::Admin(_) => "admin",
        }
    }

    /// Whom carts and orders of this principal belong to; what the staff opens is whose they say.
    #[must_use]
    pub const fn customer(&self) -> Option<&CustomerId> {
        match self {
            Self::Guest(id) => Some(id),
            Self::Customer(member) => Some(&member.customer),
            Self::Nobody | Self::Staff(..) | Self::Admin(_) => None,
        }
    }

    /// The account, where there is one.
    #[must_use]
    pub const fn member(&self) -> Option<&Member> {
        match self {
            Self::Customer(member) | Self::Staff(member, _) | Self::Admin(member) => Some(member),
            Self::Nobody | Self::Guest(_) => None,
        }
    }

    /// Whether this is somebody who works here.
    #[must_use]
    pub const fn is_staff(&self) -> bool {
        matches!(self, Self::Staff(..) | Self::Admin(_))
    }

    /// Whether what a permission is for may be done.
    #[must_use]
    pub const fn may(&self, permission: Permission) -> bool {
        match self {
            Self::Admin(_) => true,
            Self::Staff(_, permissions) => permissions.contain(permission),
            Self::Nobody | Self::Guest(_) | Self::Customer(_) => false,
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Principal {
    type Rejection = Problem;

    /// Whom the access table's middleware has found; a route that it does not guard has no principal.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| Problem::internal(&"a route without access rules"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Member {
    type Rejection = Problem;

    /// The account that asks, on routes that the access table keeps for accounts.
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let principal = Principal::from_request_parts(parts, state).await?;
        principal.member().cloned().ok_or_else(|| Problem::internal(&"a route for accounts without one"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Permission, Permissions};

    #[test]
    fn permissions_are_those_that_were_given() {
        let some: Permissions = [Permission::Orders, Permission::PersonalData].into_iter().collect();
        assert!(some.contain(Permission::Orders) && !some.contain(Permission::Payments));
        assert_eq!(some.names(), ["orders", "personal_data"]);
        assert_eq!(serde_json::to_string(&some).ok().as_deref(), Some(r#"["orders","personal_data"]"#));
        for permission in Permission::ALL {
            assert_eq!(Permission::named(permission.as_str()), Some(permission));
            let name = serde_json::to_value(permission).ok();
            assert_eq!(name.as_ref().and_then(|name| name.as_str()), Some(permission.as_str()));
        }
    }
}
