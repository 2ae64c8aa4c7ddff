//! `accounts`: who works here, for whoever runs the shop's machines; and the admin that `up` makes for trying things out.

use std::{
    fs,
    io::{self, BufRead as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use api::{
    Email, Identity, Permissions,
    identity::{Change, Password, Role},
};

use super::{FINE, Failure};
use crate::{
    cli::{AccountsCommand, RightsArgs},
    ground::{Ground, GroundError},
    out,
};

/// The admin of local servers.
pub const LOCAL_ADMIN: &str = "admin@localhost";

/// Why nothing was done about an account.
#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    /// Not an address.
    #[error("{0:?} is not an e-mail address")]
    Email(String),
    /// Not a password.
    #[error(transparent)]
    Password(#[from] api::identity::NotAPassword),
    /// Nothing came from stdin.
    #[error("the password cannot be read from stdin: {0}")]
    Stdin(io::Error),
    /// The account cannot be made or changed.
    #[error(transparent)]
    Change(#[from] api::identity::ChangeError),
    /// The accounts cannot be read.
    #[error(transparent)]
    Identity(#[from] api::identity::Error),
}

/// Does what is asked.
pub async fn run(ground: &Ground, command: AccountsCommand, json: bool) -> Result<u8, Failure> {
    let identity = ground.identity_alone().await?;
    match command {
        AccountsCommand::Create { email, rights, password_stdin } => {
            create(&identity, &email, &rights, password_stdin, json).await?;
        }
        AccountsCommand::List => list(&identity, json).await?,
        AccountsCommand::SetRole { email, rights: RightsArgs { role, permissions } } => {
            let permissions = Some(permissions.into_iter().collect());
            let change = Change { role: Some(role.into()), permissions, disabled: None };
            changed(&identity, &email, change, json).await?;
        }
        AccountsCommand::Disable { email, undo } => {
            let change = Change { disabled: Some(!undo), ..Change::default() };
            changed(&identity, &email, change, json).await?;
        }
    }
    Ok(FINE)
}

async fn create(
    identity: &Identity,
    email: &str,
    rights: &RightsArgs,
    password_stdin: bool,
    json: bool,
) -> Result<(), Failure> {
    let generated = if password_stdin { None } else { Some(generated(identity)?) };
    let text = match &generated {
        Some(generated) => generated.clone(),
        None => from_stdin().map_err(AccountsError::Stdin)?,
    };
    let password = Password::try_from(text).map_err(AccountsError::from)?;
    let permissions: Permissions = rights.permissions.iter().copied().collect();
    let made = identity.create(&address(email)?, &password, (rights.role.into(), permissions), None).await;
    let id = made.map_err(AccountsError::from)?;
    if json {
        out::line(serde_json::json!({ "ok": true, "id": id, "password": generated }))?;
        return Ok(());
    }
    out::line(format_args!("Account {id} is made for {email}."))?;
    if let Some(generated) = generated {
        out::line(format_args!("Its password, which is not shown again: {generated}"))?;
    }
    Ok(())
}

async fn list(identity: &Identity, json: bool) -> Result<(), Failure> {
    let accounts = identity.staff().await.map_err(AccountsError::from)?;
    if json {
        out::line(serde_json::json!({ "ok": true, "accounts": accounts }))?;
        return Ok(());
    }
    for account in accounts {
        let email = account.email.as_deref().unwrap_or("forgotten");
        let disabled = if account.disabled { ", disabled" } else { "" };
        let permissions = account.permissions.names().join(" ");
        out::line(format_args!("{} {email} {}{disabled} {permissions}", account.id, account.role.as_str()))?;
    }
    Ok(())
}

async fn changed(identity: &Identity, email: &str, change: Change, json: bool) -> Result<(), Failure> {
    let id = identity.id_of(&address(email)?).await.map_err(AccountsError::from)?;
    identity.change(id, change).await.map_err(AccountsError::from)?;
    if json {
        out::line(serde_json::json!({ "ok": true, "id": id }))?;
    } else {
        out::line(format_args!("Account {id} is changed; its sessions end within seconds."))?;
    }
    Ok(())
}

/// Makes the admin of local servers once, with a password that lies in the data directory; where.
pub async fn local_admin(identity: &Identity, data: &Path) -> Result<PathBuf, Failure> {
    let path = data.join("admin.password");
    if identity.has_admin().await.map_err(AccountsError::from)? {
        return Ok(path);
    }
    let text = generated(identity)?;
    write(&path, &text).map_err(|source| GroundError::File { path: path.clone(), source })?;
    let password = Password::try_from(text).map_err(AccountsError::from)?;
    let rights = (Role::Admin, Permissions::default());
    identity.create(&address(LOCAL_ADMIN)?, &password, rights, None).await.map_err(AccountsError::from)?;
    Ok(path)
}

/// Its owner alone may read it.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600).open(path)?.write_all(text.as_bytes())
}

fn generated(identity: &Identity) -> Result<String, AccountsError> {
    Ok(identity.new_password()?)
}

fn from_stdin() -> io::Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn address(text: &str) -> Result<Email, AccountsError> {
    text.parse().map_err(|_| AccountsError::Email(text.to_owned()))
}
