//! The rows of accounts: what is personal is sealed under the account's subject, and an e-mail found by its keyed hash.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::value::{CustomerId, Sealed, SubjectId, Time};
use serde::Serialize;
use sqlx::{PgConnection, PgPool, Row as _, postgres::PgRow};
use store::rfc3339::moment;
use uuid::Uuid;

use super::{Error, Identity, sessions, token::Role};
use crate::{
    outbound::saved::remove_all_of,
    principal::{Member, Permission, Permissions, Principal},
    text::{Email, Short},
};

/// An account as its owner sees it.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Account {
    /// Its id, which is also the customer's.
    pub id: Uuid,
    /// What it may do.
    pub role: Role,
    /// What a member of the staff may do.
    pub permissions: Permissions,
    /// The e-mail.
    pub email: Option<String>,
    /// Whether its owner has shown that mail arrives there.
    pub email_verified: bool,
    /// What to call them.
    pub name: Option<String>,
    /// Where to call them.
    pub phone: Option<String>,
    /// Whether nobody can log in to it.
    pub disabled: bool,
    /// Whether logging in takes a code as well.
    pub second_factor: bool,
    /// When it was made.
    #[serde(with = "store::rfc3339")]
    pub created_at: Time,
}

/// What a log-in has to know of an account.
pub struct Standing {
    pub id: Uuid,
    pub customer: CustomerId,
    pub role: Role,
    pub permissions: Permissions,
    pub disabled: bool,
    pub password: String,
    /// The sealed e-mail.
    pub email: String,
}

/// What a new account begins with.
pub struct New<'a> {
    pub id: Uuid,
    pub role: Role,
    pub permissions: Permissions,
    pub email: &'a Email,
    pub name: Option<&'a Short>,
    pub phone: Option<&'a Short>,
    /// The hash.
    pub password: &'a str,
}

impl Role {
    /// As rows name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Customer => "customer",
            Self::Staff => "staff",
            Self::Admin => "admin",
        }
    }

    /// The role of an account of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Customer, Self::Staff, Self::Admin].into_iter().find(|role| role.as_str() == name)
    }
}

impl Standing {
    /// Whom a token of a session speaks for.
    pub fn principal(&self, session: Uuid) -> Result<Principal, Error> {
        let member = Member { account: self.id, session, customer: self.customer.clone() };
        match self.role {
            Role::Guest => Err(Error::Broken("an account of a guest")),
            Role::Customer => Ok(Principal::Customer(member)),
            Role::Staff => Ok(Principal::Staff(member, self.permissions)),
            Role::Admin => Ok(Principal::Admin(member)),
        }
    }

    /// Whose key its personal data is sealed under.
    pub fn subject(&self) -> SubjectId {
        SubjectId::from(&self.customer)
    }
}

const STANDING: &str = "id, customer, role, permissions, disabled_at IS NOT NULL, password, email";

fn read_standing(row: &PgRow) -> Result<Standing, Error> {
    let permissions: Vec<String> = row.try_get(3)?;
    Ok(Standing {
        id: row.try_get(0)?,
        customer: CustomerId::new(row.try_get::<String, _>(1)?)
            .map_err(|_| Error::Broken("a customer's id"))?,
        role: Role::named(row.try_get(2)?).ok_or(Error::Broken("a role"))?,
        permissions: permissions.iter().filter_map(|name| Permission::named(name)).collect(),
        disabled: row.try_get(4)?,
        password: row.try_get(5)?,
        email: row.try_get(6)?,
    })
}

/// An account by its id.
///
/// # Errors
/// The database's.
pub async fn standing(connection: &mut PgConnection, id: Uuid) -> Result<Option<Standing>, Error> {
    let sql = format!("SELECT {STANDING} FROM accounts WHERE id = $1");
    let row = sqlx::query(&sql).bind(id).fetch_optional(connection).await?;
    row.as_ref().map(read_standing).transpose()
}

/// The account as it is now, which stays so until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn held(connection: &mut PgConnection, id: Uuid) -> Result<Option<Standing>, Error> {
    let sql = format!("SELECT {STANDING} FROM accounts WHERE id = $1 FOR NO KEY UPDATE");
    let row = sqlx::query(&sql).bind(id).fetch_optional(connection).await?;
    row.as_ref().map(read_standing).transpose()
}

/// The same; `None` when the password that was checked is its password no longer, or nobody can log in to it any more.
///
/// # Errors
/// The database's.
pub async fn still(connection: &mut PgConnection, checked: &Standing) -> Result<Option<Standing>, Error> {
    let now = held(connection, checked.id).await?;
    Ok(now.filter(|now| !now.disabled && now.password == checked.password))
}

/// The admins who can log in, held until the transaction ends: two who take each other's rights at once would both succeed.
///
/// # Errors
/// The database's.
pub async fn admins(connection: &mut PgConnection) -> Result<Vec<Uuid>, sqlx::Error> {
    let admins =
        "SELECT id FROM accounts WHERE role = 'admin' AND disabled_at IS NULL ORDER BY id FOR UPDATE";
    sqlx::query_scalar(admins).fetch_all(connection).await
}

/// Removes a customer's account with all that belongs to it; the sessions that ended.
///
/// # Errors
/// The database's.
pub async fn remove(pool: &PgPool, customer: &str, now: Time) -> Result<Vec<Uuid>, Error> {
    remove_all(pool, &[customer], now).await
}

/// The same for many.
///
/// # Errors
/// The database's.
pub async fn remove_all(pool: &PgPool, customers: &[&str], now: Time) -> Result<Vec<Uuid>, Error> {
    if customers.is_empty() {
        return Ok(vec![]);
    }
    remove_all_of(&mut *pool.acquire().await?, customers, now).await?;
    let mut transaction = store::transaction::begin(pool).await?;
    // A log-in that is under way has begun its session before, or finds no account.
    let ids: Vec<Uuid> =
        sqlx::query_scalar("SELECT id FROM accounts WHERE customer = ANY($1) ORDER BY id FOR UPDATE")
            .bind(customers)
            .fetch_all(&mut *transaction)
            .await?;
    if ids.is_empty() {
        return Ok(vec![]);
    }
    let mut ended = vec![];
    for id in &ids {
        ended.extend(sessions::end_all(&mut transaction, *id, None, now).await?);
    }
    sqlx::query("DELETE FROM accounts WHERE id = ANY($1)").bind(&ids).execute(&mut *transaction).await?;
    let subjects: Vec<String> = customers.iter().map(|customer| format!("customer:{customer}")).collect();
    sqlx::query("DELETE FROM outgoing_mail WHERE subject = ANY($1)")
        .bind(subjects)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(ended)
}

impl Identity {
    /// What an e-mail is found by. Case does not tell addresses apart.
    pub(crate) fn email_hash(&self, email: &Email) -> [u8; 32] {
        self.inner.secret.mac(&[b"email", email.as_str().trim().to_lowercase().as_bytes()])
    }

    /// The account with an e-mail; one whose owner is forgotten is none.
    pub(crate) async fn account_of(&self, email: &Email) -> Result<Option<Standing>, Error> {
        let sql = format!("SELECT {STANDING} FROM accounts WHERE email_hash = $1");
        let row =
            sqlx::query(&sql).bind(&self.email_hash(email)[..]).fetch_optional(&self.inner.pool).await?;
        let Some(account) = row.as_ref().map(read_standing).transpose()? else { return Ok(None) };
        // A restore brings rows back, and no key.
        let known = self.opened(&account.subject(), Some(account.email.clone())).await?.is_some();
        Ok(known.then_some(account))
    }

    /// Writes a new account.
    pub(crate) async fn insert(&self, connection: &mut PgConnection, new: New<'_>) -> Result<(), Error> {
        let subject = SubjectId::from(&CustomerId::from(new.id));
        let permissions = new.permissions.names();
        let inserted = sqlx::query(
            "INSERT INTO accounts (id, customer, role, permissions, email_hash, email, name, phone, password, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (email_hash) DO NOTHING",
        )
        .bind(new.id)
        .bind(new.id.to_string())
        .bind(new.role.as_str())
        .bind(permissions)
        .bind(&self.email_hash(new.email)[..])
        .bind(self.sealed(&subject, new.email.as_str().trim()).await?)
        .bind(self.sealed_if_any(&subject, new.name).await?)
        .bind(self.sealed_if_any(&subject, new.phone).await?)
        .bind(new.password)
        .bind(moment(self.now()))
        .execute(connection)
        .await?;
        if inserted.rows_affected() == 0 { Err(Error::EmailTaken) } else { Ok(()) }
    }

    /// An account as its owner sees it.
    pub(crate) async fn account(&self, id: Uuid) -> Result<Account, Error> {
        let page = self.accounts("WHERE a.id = $1", id, 1).await?;
        page.into_iter().next().ok_or(Error::NoAccount)
    }

    /// Accounts of the staff after one, in the order of their making.
    pub(crate) async fn staff_after(&self, after: Uuid, limit: i64) -> Result<Vec<Account>, Error> {
        self.accounts("WHERE a.role <> 'customer' AND a.id > $1", after, limit).await
    }

    async fn accounts(&self, which: &str, id: Uuid, limit: i64) -> Result<Vec<Account>, Error> {
        let sql = format!(
            "SELECT a.id, a.customer, a.role, a.permissions, a.email, a.email_verified_at IS NOT NULL, a.name, \
                    a.phone, a.disabled_at IS NOT NULL, \
                    EXISTS (SELECT FROM second_factors f WHERE f.account = a.id AND f.confirmed_at IS NOT NULL), \
                    (extract(epoch FROM a.created_at) * 1000)::bigint \
             FROM accounts a {which} ORDER BY a.id LIMIT $2"
        );
        let rows = sqlx::query(&sql).bind(id).bind(limit).fetch_all(&self.inner.pool).await?;
        let mut accounts = vec![];
        for row in rows {
            let customer: String = row.try_get(1)?;
            let customer = CustomerId::new(customer).map_err(|_| Error::Broken("a customer's id"))?;
            let subject = SubjectId::from(&customer);
            let permissions: Vec<String> = row.try_get(3)?;
            accounts.push(Account {
                id: row.try_get(0)?,
                role: Role::named(row.try_get(2)?).ok_or(Error::Broken("a role"))?,
                permissions: permissions.iter().filter_map(|name| Permission::named(name)).collect(),
                email: self.opened(&subject, row.try_get(4)?).await?,
                email_verified: row.try_get(5)?,
                name: self.opened(&subject, row.try_get(6)?).await?,
                phone: self.opened(&subject, row.try_get(7)?).await?,
                disabled: row.try_get(8)?,
                second_factor: row.try_get(9)?,
                created_at: Time::from_millis(row.try_get(10)?),
            });
        }
        Ok(accounts)
    }

    /// A personal value, closed.
    pub(crate) async fn sealed(&self, subject: &SubjectId, plain: &str) -> Result<String, Error> {
        Ok(self.inner.vault.seal(subject.as_str(), plain.as_bytes()).await?.sealed.as_ref().into())
    }

    pub(crate) async fn sealed_if_any(
        &self,
        subject: &SubjectId,
        plain: Option<&Short>,
    ) -> Result<Option<String>, Error> {
        match plain {
            Some(plain) => self.sealed(subject, plain.as_str()).await.map(Some),
            None => Ok(None),
        }
    }

    /// A personal value, opened; `None` where there is none, or its subject is forgotten.
    pub(crate) async fn opened(
        &self,
        subject: &SubjectId,
        sealed: Option<String>,
    ) -> Result<Option<String>, Error> {
        let Some(sealed) = sealed else { return Ok(None) };
        let sealed = Sealed { subject: subject.as_str().into(), sealed: sealed.into() };
        let Some(plain) = self.inner.vault.open(&sealed).await? else { return Ok(None) };
        String::from_utf8(plain.into()).map(Some).map_err(|_| Error::Broken("a sealed text"))
    }

    /// An opaque secret as somebody holds it, and as it is kept.
    pub(crate) fn new_secret(&self) -> Result<(String, Vec<u8>), Error> {
        let mut secret = [0; 32];
        self.inner.ids.fill(&mut secret)?;
        let text = URL_SAFE_NO_PAD.encode(secret);
        Ok((text, sessions::hash(&secret)))
    }
}

/// What a secret that somebody sent is kept as.
pub fn kept_as(secret: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(secret).ok()?;
    (bytes.len() == 32).then(|| sessions::hash(&bytes))
}
