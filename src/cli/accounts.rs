//! Subcommands about accounts of people who work here.

use api::{Permission, identity::Role};
use clap::{Args, Subcommand, ValueEnum};

/// What can be done about accounts.
#[derive(Debug, Subcommand)]
pub enum AccountsCommand {
    /// Make an account. Its password is generated and printed once, unless it comes from stdin.
    Create {
        /// Whose.
        #[arg(long, value_name = "ADDRESS")]
        email: String,
        /// What it may do.
        #[command(flatten)]
        rights: RightsArgs,
        /// Read the password from the first line of stdin.
        #[arg(long)]
        password_stdin: bool,
    },
    /// List the accounts of staff and admins.
    List,
    /// Change what an account may do; its sessions end.
    SetRole {
        /// Whose.
        #[arg(long, value_name = "ADDRESS")]
        email: String,
        /// What it may do from now on.
        #[command(flatten)]
        rights: RightsArgs,
    },
    /// Let nobody log in to an account; its sessions end.
    Disable {
        /// Whose.
        #[arg(long, value_name = "ADDRESS")]
        email: String,
        /// The other way round.
        #[arg(long)]
        undo: bool,
    },
}

/// What an account may do.
#[derive(Args, Debug)]
pub struct RightsArgs {
    /// What it is.
    #[arg(long, value_enum)]
    pub role: RoleArg,
    /// What a member of the staff may do. Repeatable.
    #[arg(long = "permission", value_name = "NAME", value_parser = permission)]
    pub permissions: Vec<Permission>,
}

/// What an account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RoleArg {
    /// Buys.
    Customer,
    /// Works here.
    Staff,
    /// May do everything.
    Admin,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Customer => Self::Customer,
            RoleArg::Staff => Self::Staff,
            RoleArg::Admin => Self::Admin,
        }
    }
}

fn permission(name: &str) -> Result<Permission, String> {
    Permission::named(name).ok_or_else(|| {
        let names = Permission::ALL.map(Permission::as_str);
        format!("a permission is one of {}", names.join(", "))
    })
}
