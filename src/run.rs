//! Runs a subcommand: who is started with what, what is printed, and the exit status.

mod accounts;
mod archive;
mod doctor;
mod events;
mod fitness;
mod followers;
mod history;
mod import;
mod keys;
mod migrate;
mod projections;
mod replay;
mod report;
mod restored;
mod scenario;
mod serve;
mod settings;
mod verify;

use std::{
    io::{self, IsTerminal as _},
    process::ExitCode,
};

use ::projections::replay::ReplayError;
use api::outbound::OutboundError;
use clap::CommandFactory as _;
use store::{archive::ArchivingError, schema::SchemaError, verify::Wanted};

pub use self::events::EventsError;
use self::{accounts::AccountsError, followers::FollowersError, projections::ProjectionsError};
use crate::{
    cli::{Cli, Command, ImportCommand, KeysCommand},
    ground::{Ground, GroundError},
    import::ImportError,
    out::{self, Unprinted},
    sample::SampleError,
    settings::{Settings, SettingsError},
    telemetry::{Telemetry, TelemetryError},
};

/// Everything fine.
const FINE: u8 = 0;
/// A difference was found, or something failed.
const FAILED: u8 = 1;
/// The command line, a setting or an input file is wrong.
const WRONG_INPUT: u8 = 2;
/// Nobody reads the result any more: what a shell says of a program that SIGPIPE ended. Not 0, since whether all was
/// fine was never told.
const NOBODY_READS: u8 = 141;

/// Why a subcommand failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// There are no servers to stand on.
    #[error(transparent)]
    Ground(#[from] GroundError),
    /// The sample catalogue was not loaded.
    #[error(transparent)]
    Sample(#[from] SampleError),
    /// The import did not happen, or stopped.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The file cannot be summed up.
    #[error(transparent)]
    Ledger(#[from] crate::import::ledger::LedgerError),
    /// The read models did not answer.
    #[error("the read models: {0}")]
    Query(#[from] ::projections::QueryError),
    /// The address cannot be listened on.
    #[error("listening on {address}: {source}; choose another address with --listen")]
    Listen {
        /// Which.
        address: std::net::SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The process must not serve a shop as it is set up.
    #[error(
        "this is not fit for production, which it is when others than this machine can connect:\n- {}\nTo try things out, listen on 127.0.0.1 or set DAYBOOK_MODE=development.",
        .0.join("\n- ")
    )]
    Unfit(Vec<String>),
    /// The certificate cannot be used.
    #[error("DAYBOOK_TLS_CERT and DAYBOOK_TLS_KEY: {0}")]
    Tls(#[from] api::ingress::tls::TlsError),
    /// Traces cannot be sent.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// The gateway cannot be called.
    #[error(transparent)]
    Stripe(#[from] api::outbound::stripe::StripeError),
    /// The scenarios cannot be played.
    #[error(transparent)]
    Scenario(#[from] scenario::ScenarioError),
    /// The result cannot be printed.
    #[error(transparent)]
    Printing(#[from] Unprinted),
    /// The log is another one than at the start.
    #[error("the log was restored or has lost its end: start again")]
    OtherLog,
    /// The process itself.
    #[error("{0}")]
    Process(#[from] io::Error),
    /// A follower could not be helped.
    #[error(transparent)]
    Followers(#[from] followers::FollowersError),
    /// A read model could not be rebuilt or compared.
    #[error(transparent)]
    Projections(#[from] ProjectionsError),
    /// The past cannot be told.
    #[error(transparent)]
    History(#[from] history::HistoryFailure),
    /// Nothing was replayed, or not to the end.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// There is no report.
    #[error(transparent)]
    Report(#[from] report::ReportFailure),
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] store::log::LogError),
    /// The keys cannot be reached.
    #[error(transparent)]
    Vault(#[from] store::vault::VaultError),
    /// Nothing was done about an account.
    #[error(transparent)]
    Accounts(#[from] AccountsError),
    /// Not everything was put away that may go.
    #[error(transparent)]
    Archiving(#[from] ArchivingError),
    /// Nobody can be told what happens.
    #[error("telling others: {0}")]
    Outbound(#[from] OutboundError),
    /// Nobody said where the archive is.
    #[error(
        "say where the archive's files go: with --into DIR, or in DAYBOOK_ARCHIVE_DIR for every process that reads the log"
    )]
    NoArchive,
    /// Events could not be shown or exported.
    #[error(transparent)]
    Events(events::EventsError),
    /// A result cannot be written as JSON.
    #[error("writing JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl Failure {
    fn status(&self) -> u8 {
        match self {
            Self::Settings(_)
            | Self::Unfit(_)
            | Self::Tls(_)
            | Self::Telemetry(_)
            | Self::NoArchive
            | Self::Outbound(OutboundError::Mail(_))
            | Self::Ground(
                GroundError::Unset(_)
                | GroundError::NoOwner
                | GroundError::Schema(SchemaError::Address(_) | SchemaError::Name(_)),
            ) => WRONG_INPUT,
            Self::Import(error) => error.exit_code(),
            Self::History(error) => error.status(),
            Self::Report(error) => error.status(),
            Self::Replay(error) if error.is_wrong_input() => WRONG_INPUT,
            Self::Ledger(_)
            | Self::Scenario(_)
            | Self::Accounts(AccountsError::Email(_) | AccountsError::Password(_))
            | Self::Projections(ProjectionsError::Unknown(..))
            | Self::Followers(FollowersError::NoFollower(..) | FollowersError::NoStream(_)) => WRONG_INPUT,
            Self::Printing(unprinted) if unprinted.is_closed() => NOBODY_READS,
            Self::Events(error) if error.is_closed() => NOBODY_READS,
            Self::Events(error) if error.is_wrong_input() => WRONG_INPUT,
            Self::Printing(_)
            | Self::Ground(_)
            | Self::Sample(_)
            | Self::Query(_)
            | Self::Stripe(_)
            | Self::Listen { .. }
            | Self::OtherLog
            | Self::Log(_)
            | Self::Vault(_)
            | Self::Accounts(_)
            | Self::Followers(_)
            | Self::Projections(_)
            | Self::Archiving(_)
            | Self::Events(_)
            | Self::Outbound(_)
            | Self::Replay(_)
            | Self::Process(_)
            | Self::Json(_) => FAILED,
        }
    }
}

/// Runs the program.
#[must_use]
pub fn main(cli: Cli) -> ExitCode {
    log_to_stderr(&cli.command);
    let json = cli.json;
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return told(json, &error.into()),
    };
    match runtime.block_on(run(cli)) {
        Ok(status) => ExitCode::from(status),
        Err(failure) => told(json, &failure),
    }
}

async fn run(cli: Cli) -> Result<u8, Failure> {
    if matches!(cli.command, Command::Settings) {
        // They are shown even when one of them cannot be used.
        return settings::run(cli.ground.config.as_deref(), cli.json);
    }
    let data = cli.ground.data;
    let tell: &(dyn Fn(&str) + Sync) = &|line| out::tell(line);
    if let Command::Doctor { listen } = cli.command {
        return doctor::run(cli.ground.config.as_deref(), &data, listen, cli.json, tell).await;
    }
    let settings = Settings::load(cli.ground.config.as_deref())?;
    match cli.command {
        Command::Up { fresh, listen, no_sample } => {
            // Taken before anything is started, so that a second `up` says so instead of disturbing the first.
            let listener = serve::listener(listen).await?;
            let telemetry = settings.tracing.as_ref().map(Telemetry::start).transpose()?;
            let ground = Ground::prepare(settings, &data, fresh, tell).await?;
            let served = serve::up(ground, listener, &data, !no_sample).await;
            ended(telemetry).await;
            served?;
        }
        Command::Serve { listen } => {
            if settings.database_url.is_none() {
                // `serve` never starts servers; `up` does.
                return Err(GroundError::Unset("DATABASE_URL").into());
            }
            let objections = fitness::objections(&settings, listen);
            if !objections.is_empty() {
                return Err(Failure::Unfit(objections));
            }
            let listener = serve::listener(listen).await?;
            let telemetry = settings.tracing.as_ref().map(Telemetry::start).transpose()?;
            let ground = Ground::prepare(settings, &data, false, tell).await?;
            let served = serve::serve(ground, listener).await;
            ended(telemetry).await;
            served?;
        }
        Command::Migrate { check: true } => return migrate::check(settings, &data, cli.json, tell).await,
        Command::Migrate { check: false } => return migrate::run(settings, &data, cli.json, tell).await,
        Command::Import { source: ImportCommand::Retail { file, rejects } } => {
            let ground = Ground::prepare(settings, &data, false, tell).await?;
            return import::retail(ground, &file, rejects, cli.json).await;
        }
        Command::Events { command } => return events::run(command, settings, &data, cli.json, tell).await,
        Command::Followers { command } => {
            let ground = Ground::prepare(settings, &data, false, tell).await?;
            return followers::run(&ground, command, cli.json).await;
        }
        Command::Projections { command } => {
            let ground = Ground::prepare(settings, &data, false, tell).await?;
            return projections::run(&ground, command, cli.json).await;
        }
        Command::Restored => return restored::run(settings, &data, cli.json, tell).await,
        Command::Keys { command: KeysCommand::Rotate { check } } => {
            let ground = Ground::prepare(settings, &data, false, tell).await?;
            return keys::rotate(&ground, check, cli.json).await;
        }
        Command::Keys { command: KeysCommand::RotateTokens { now } } => {
            let ground = Ground::prepare(settings, &data, false, tell).await?;
            return keys::rotate_tokens(&ground, now, cli.json).await;
        }
        Command::Accounts { command } => {
            let ground = Ground::prepare(settings, &data, false, tell).await?;
            return accounts::run(&ground, command, cli.json).await;
        }
        Command::Verify { anchor, after_anchor, archive_digests_only } => {
            let ground = Ground::prepare(settings, &data, false, tell).await?;
            let wanted = Wanted { anchor, after_anchor };
            return verify::run(&ground, wanted, archive_digests_only, cli.json).await;
        }
        Command::Archive { older_than, into, dry_run } => {
            let ground = Ground::prepare(settings, &data, false, tell).await?;
            return archive::run(&ground, older_than, into, dry_run, cli.json).await;
        }
        Command::State(args) => return history::state(settings, &data, &args, cli.json).await,
        Command::Diff(args) => return history::diff(settings, &data, &args, cli.json).await,
        Command::Stock(args) => return history::stock(settings, &data, &args, cli.json).await,
        Command::Replay(args) => return replay::run(settings, &data, args, cli.json).await,
        Command::WhatIf(args) => return history::what_if(settings, &data, &args, cli.json).await,
        Command::Report { command } => return report::run(settings, &data, &command, cli.json).await,
        Command::Scenario { command } => return scenario::run(command, settings, &data, cli.json).await,
        // Seen to above, whatever the settings say.
        Command::Doctor { .. } | Command::Settings => {}
    }
    Ok(FINE)
}

/// Sends the last spans, if any are collected.
async fn ended(telemetry: Option<Telemetry>) {
    if let Some(telemetry) = telemetry {
        telemetry.end().await;
    }
}

/// Prints the failure where people and scripts look for it.
fn told(json: bool, failure: &Failure) -> ExitCode {
    let status = failure.status();
    if json && status != NOBODY_READS {
        // It is told on stderr as well.
        let _ = out::line(serde_json::json!({"ok": false, "error": failure.to_string()}));
    }
    if status != NOBODY_READS {
        out::tell(format_args!("{}: {failure}", Cli::command().get_name()));
    }
    ExitCode::from(status)
}

/// What is logged unless somebody says otherwise.
const fn usual(command: &Command) -> &'static str {
    match command {
        // Every scenario is a shop with requests of its own.
        Command::Scenario { .. } => "warn",
        // Whoever asks for a year waits for a statement that reads it, and knows.
        Command::Events { .. }
        | Command::State(_)
        | Command::Diff(_)
        | Command::Stock(_)
        | Command::WhatIf(_)
        | Command::Replay(_)
        | Command::Report { .. } => "warn,sqlx::query=error,daybook=info,store=info,api=info",
        _ => "warn,daybook=info,store=info,api=info",
    }
}

/// `DAYBOOK_LOG` chooses what is logged, as `RUST_LOG` does elsewhere; JSON when nobody is watching.
fn log_to_stderr(command: &Command) {
    let usual = usual(command);
    let filter = tracing_subscriber::EnvFilter::try_from_env("DAYBOOK_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(usual));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    if io::stderr().is_terminal() {
        builder.with_target(false).init();
    } else {
        builder.json().init();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

    use clap::Parser as _;

    use super::*;

    #[test]
    fn slow_statements_are_told_of_those_who_serve_and_not_of_those_who_ask() {
        for (command, told) in [
            ("report sales --period 2010", false),
            ("events stats", false),
            ("state order O1", false),
            ("diff order O1 --from 1", false),
            ("stock", false),
            ("what-if --rules rules.json", false),
            ("replay --projection stock --into folder", false),
            ("serve", true),
            ("import retail file.csv", true),
        ] {
            let cli = Cli::try_parse_from(["daybook"].into_iter().chain(command.split(' '))).unwrap();
            assert_eq!(usual(&cli.command).contains("sqlx::query=error"), !told, "{command}");
        }
    }
}
