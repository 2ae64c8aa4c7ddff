//! Access tokens: JSON Web Tokens (RFC 7519) signed with Ed25519 (RFC 8037), and nothing but those.
//!
//! There is one algorithm, so that a token cannot choose another one; what the libraries at hand bring beside it is an RSA that
//! is under advisory, or a second C library.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use domain::value::CustomerId;

use crate::principal::{Member, Permissions, Principal};

/// Who issues tokens.
pub const ISSUER: &str = "daybook";
/// Whom they are for.
pub const AUDIENCE: &str = "daybook-api";
/// Bytes of a token.
const TOKEN_MAX: usize = 4_096;
/// Seconds that clocks may differ by.
pub const LEEWAY_S: i64 = 30;
/// As RFC 9068 names an access token.
const TYPE: &str = "at+jwt";
const ALGORITHM: &str = "EdDSA";

/// What a token's first part says. One with further members, such as a key of its own, is not ours.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<'a> {
    alg: &'a str,
    typ: &'a str,
    kid: &'a str,
}

/// What somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Without an account.
    Guest,
    /// Buys.
    Customer,
    /// Works here.
    Staff,
    /// May do everything.
    Admin,
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued it.
    pub iss: String,
    /// Whom it is for.
    pub aud: String,
    /// The account, or the guest's id.
    pub sub: String,
    /// The log-in, where there is an account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<Uuid>,
    /// What they are.
    pub role: Role,
    /// What a member of the staff may do.
    #[serde(default)]
    pub permissions: Permissions,
    /// As the log knows them.
    pub customer: CustomerId,
    /// Seconds since the epoch at which it was issued,
    pub iat: i64,
    /// from which it is good,
    pub nbf: i64,
    /// and from which it is not.
    pub exp: i64,
}

/// A text that is no token of ours, or is one no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// It cannot be read.
    #[error("the token is malformed")]
    Malformed,
    /// Another algorithm, type or key than those that tokens here are signed with.
    #[error("the token is signed in another way, or by a key that is not known here")]
    UnknownKey,
    /// The signature is not of this text.
    #[error("the token's signature is wrong")]
    Signature,
    /// It is somebody else's, or for somebody else.
    #[error("the token is not one of this shop's")]
    Foreign,
    /// Its time has not come.
    #[error("the token is not good yet")]
    Early,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
}

impl Claims {
    /// What a token for somebody says; nobody has none.
    #[must_use]
    pub fn of(principal: &Principal, now_s: i64, lifetime_s: i64) -> Option<Self> {
        let of = |role, member: &Member, permissions| {
            (role, member.account.to_string(), Some(member.session), permissions, member.customer.clone())
        };
        let none = Permissions::default();
        let (role, sub, sid, permissions, customer) = match principal {
            Principal::Nobody => return None,
            Principal::Guest(id) => (Role::Guest, id.to_string(), None, none, id.clone()),
            Principal::Customer(member) => of(Role::Customer, member, none),
            Principal::Staff(member, permissions) => of(Role::Staff, member, *permissions),
            Principal::Admin(member) => of(Role::Admin, member, none),
        };
        Some(Self {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub,
            sid,
            role,
            permissions,
            customer,
            iat: now_s,
            nbf: now_s,
            exp: now_s + lifetime_s,
        })
    }

    /// Whom it speaks for; `None` when it contradicts itself.
    #[must_use]
    pub fn principal(&self) -> Option<Principal> {
        let customer = self.customer.clone();
        if self.role == Role::Guest {
            let guest = customer.is_guest() && self.sub == customer.as_str() && self.sid.is_none();
            return guest.then_some(Principal::Guest(customer));
        }
        if customer.is_guest() {
            return None;
        }
        let member = Member { account: self.sub.parse().ok()?, session: self.sid?, customer };
        Some(match self.role {
            Role::Guest => return None,
            Role::Customer => Principal::Customer(member),
            Role::Staff => Principal::Staff(member, self.permissions),
            Role::Admin => Principal::Admin(member),
        })
    }
}

/// Signs claims.
///
/// # Errors
/// When they cannot be written as JSON.
pub fn sign(claims: &Claims, kid: &str, key: &Ed25519KeyPair) -> Result<String, serde_json::Error> {
    let part = |json: Vec<u8>| URL_SAFE_NO_PAD.encode(json);
    let header = part(serde_json::to_vec(&Header { alg: ALGORITHM, typ: TYPE, kid })?);
    let mut token = header + "." + &part(serde_json::to_vec(claims)?);
    let signature = key.sign(token.as_bytes());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}

/// The claims of a token that is good now; `key_of` knows the public halves.
///
/// # Errors
/// As [`Invalid`] says.
pub fn verify(token: &str, now_s: i64, key_of: impl Fn(&str) -> Option<[u8; 32]>) -> Result<Claims, Invalid> {
    if token.len() > TOKEN_MAX {
        return Err(Invalid::Malformed);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(Invalid::Malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(Invalid::Malformed)?;
    let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Invalid::Malformed);
    let (header, claims, signature) = (bytes(header)?, bytes(claims)?, bytes(signature)?);
    let header: Header<'_> = serde_json::from_slice(&header).map_err(|_| Invalid::Malformed)?;
    if header.alg != ALGORITHM || !header.typ.eq_ignore_ascii_case(TYPE) {
        return Err(Invalid::UnknownKey);
    }
    let key = key_of(header.kid).ok_or(Invalid::UnknownKey)?;
    UnparsedPublicKey::new(&ED25519, key)
        .verify(signed.as_bytes(), &signature)
        .map_err(|_| Invalid::Signature)?;
    let claims: Claims = serde_json::from_slice(&claims).map_err(|_| Invalid::Malformed)?;
    if claims.iss != ISSUER || claims.aud != AUDIENCE {
        return Err(Invalid::Foreign);
    }
    if now_s < claims.nbf.saturating_sub(LEEWAY_S) {
        return Err(Invalid::Early);
    }
    if now_s >= claims.exp.saturating_add(LEEWAY_S) {
        return Err(Invalid::Expired);
    }
    Ok(claims)
}

/// The public half of a key.
#[must_use]
pub fn public_half(key: &Ed25519KeyPair) -> Option<[u8; 32]> {
    key.public_key().as_ref().try_into().ok()
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
