//! The command line: one file for each command. Data goes to standard output, messages for people to standard error.

mod alerts;
mod apply;
mod cells;
mod check;
mod completions;
mod connectors;
mod deliveries;
mod demo;
mod harmless;
mod health;
mod inbox;
mod kept_login;
mod key;
mod keys;
mod login;
mod manifest;
mod member;
mod members;
mod migrate;
mod progress;
mod remote;
mod samples;
mod secret_input;
mod send;
mod serve;
mod server_options;
mod space;
mod table;
mod token;
mod trail;
mod user;

use std::{
    cell::OnceCell,
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
};

use alert_connectors::{Database, OpenError, Use};
use alert_connectors_model::display_name;
use alert_connectors_store::Store;
use alert_connectors_tasks::Tasks;
use clap::{Arg, ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{DatabaseConfig, DatabaseOptions, Faults, Layers},
    lifecycle::doomed,
};

/// Delivers a data platform's alerts to Slack and Microsoft Teams, and retries until they arrive.
#[derive(Debug, Parser)]
#[command(name = "alert-connectors", version, after_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    database: DatabaseOptions,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  alert-connectors demo
  alert-connectors user add alice@example.com --name \"Alice Johnson\" --operator
  alert-connectors serve --listen 127.0.0.1:8080
  ALERT_CONNECTORS_TOKEN=$(alert-connectors token issue alice@example.com) \\
    alert-connectors send --server http://127.0.0.1:8080 --space data --type dq_alert --severity high \"Orders are late\"";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the whole product on this machine, with no setup and no external services
    Demo(demo::Options),
    /// Run the service
    Serve(Box<crate::config::ServeOptions>),
    /// Run only the stand-in for Slack and Teams: an HTTPS receiver that checks, keeps and shows messages
    Inbox(inbox::Options),
    /// Manage users
    #[command(subcommand)]
    User(user::Command),
    /// Manage spaces
    #[command(subcommand)]
    Space(space::Command),
    /// Manage the members of a space
    #[command(subcommand)]
    Member(member::Command),
    /// Issue session tokens
    #[command(subcommand)]
    Token(token::Command),
    /// Manage the secret key file
    #[command(subcommand)]
    Key(key::Command),
    /// Say whether a running server is ready, by the exit status
    Health(health::Options),
    /// Check that everything stored can be read and every webhook URL opened
    #[command(after_help = check::EXAMPLES)]
    Check,
    /// Migrate an older schema, as a server does when it starts
    MigrateSchema,
    /// Copy everything of a SQLite file into an empty PostgreSQL database
    Migrate(migrate::Options),
    /// Keep a server, a space and a token for the commands that ask a running server
    Login(login::Options),
    /// End the session of `login`, and forget it
    Logout,
    /// Show who you are on a running server, and your spaces
    Whoami(login::WhoamiOptions),
    /// See and resolve the alerts of a space on a running server
    #[command(subcommand)]
    Alerts(alerts::Command),
    /// See and retry the deliveries of a space on a running server
    #[command(subcommand)]
    Deliveries(deliveries::Command),
    /// Manage the connectors of a space on a running server
    #[command(subcommand)]
    Connectors(connectors::Command),
    /// Give spaces the connectors that files name
    Apply(apply::Options),
    /// Write the connectors of spaces as a file for `apply`, without their webhook URLs
    Export(apply::ExportOptions),
    /// Manage the members of a space on a running server
    #[command(subcommand)]
    Members(members::Command),
    /// Manage your API keys on a running server
    #[command(subcommand)]
    Keys(keys::Command),
    /// Post alerts to a running server
    Send(send::Options),
    /// Print completions for a shell
    Completions(completions::Options),
    /// Write the manual's pages
    Man(completions::ManOptions),
}

/// Why a command did not succeed.
pub(crate) enum CommandError {
    /// Wrong usage, one line for each fault.
    Usage(Vec<String>),
    /// The server refused it.
    Refused(String),
    /// Something would change.
    WouldChange(String),
    /// It was accepted, and did not arrive.
    Undelivered(String),
    /// The server can't be reached.
    Unreachable(String),
    /// It did not work.
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for CommandError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

pub(crate) type CommandResult = Result<(), CommandError>;

/// Runs the program. Exit status: 0 done, 1 failed or refused, 2 wrong usage, 3 accepted and not delivered, 4 server not reached.
pub(crate) fn run() -> ExitCode {
    completions::answer_shell();
    let matches = command().get_matches();
    let outcome = match Cli::from_arg_matches(&matches) {
        Ok(cli) => dispatch(cli, &matches),
        Err(error) => error.exit(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(CommandError::Usage(lines)) => {
            for line in lines {
                talk(format_args!("error: {line}"));
            }
            ExitCode::from(2)
        }
        Err(CommandError::Refused(line)) => ended(1, &line),
        Err(CommandError::WouldChange(line)) => {
            talk(format_args!("{line}"));
            ExitCode::from(2)
        }
        Err(CommandError::Undelivered(line)) => ended(3, &line),
        Err(CommandError::Unreachable(line)) => ended(4, &line),
        // The reader of our output closed the pipe, which is no failure.
        Err(CommandError::Failed(error)) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(CommandError::Failed(error)) => {
            talk(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn ended(status: u8, line: &str) -> ExitCode {
    talk(format_args!("error: {line}"));
    ExitCode::from(status)
}

/// The commands that do not work on the database.
const WITHOUT_DATABASE: [&str; 15] = [
    "demo",
    "inbox",
    "login",
    "logout",
    "whoami",
    "alerts",
    "deliveries",
    "connectors",
    "apply",
    "export",
    "members",
    "keys",
    "send",
    "completions",
    "man",
];

/// The command line. Commands that do not work on the database do not offer its options; `migrate` names its databases itself.
fn command() -> clap::Command {
    let without = |command: clap::Command, options: &[&'static str]| {
        options.iter().fold(command, |command, name| {
            // It replaces the global option of the same name.
            let hidden = Arg::new(name.replace('-', "_")).long(*name).hide(true);
            command.arg(hidden.global(true))
        })
    };
    let all = ["database-url", "secret-key-file", "config"];
    let command = WITHOUT_DATABASE
        .into_iter()
        .fold(Cli::command(), |command, name| {
            command.mut_subcommand(name, |command| without(command, &all))
        });
    command.mut_subcommand("migrate", |command| without(command, &["database-url"]))
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn dispatch(cli: Cli, matches: &ArgMatches) -> CommandResult {
    let below = matches.subcommand().map_or(matches, |(_, below)| below);
    let context = CommandContext {
        database: cli.database,
        matches: below,
        opened: OnceCell::new(),
    };
    let outcome = run_command(cli.command, &context);
    let closed = wait_for(async {
        context.close().await;
        Ok(())
    });
    outcome.and(closed)
}

fn run_command(command: Command, context: &CommandContext<'_>) -> CommandResult {
    match command {
        Command::Demo(options) => demo::run(options),
        Command::Serve(options) => serve::run(&options, context),
        Command::Inbox(options) => inbox::run(options),
        Command::User(command) => user::run(command, context),
        Command::Space(command) => space::run(command, context),
        Command::Member(command) => member::run(command, context),
        Command::Token(command) => token::run(command, context),
        Command::Key(command) => key::run(command, context),
        Command::Check => check::run(context),
        Command::MigrateSchema => wait_for(async {
            context.open_for(Use::Migration).await?;
            Ok(say("the schema is up to date")?)
        }),
        Command::Migrate(options) => migrate::run(&options, context),
        Command::Login(options) => login::login(options),
        Command::Logout => login::logout(),
        Command::Whoami(options) => login::whoami(options),
        Command::Alerts(command) => alerts::run(command),
        Command::Deliveries(command) => deliveries::run(command),
        Command::Apply(options) => apply::run(options),
        Command::Export(options) => apply::export(options),
        Command::Members(command) => members::run(command),
        Command::Keys(command) => keys::run(command),
        Command::Connectors(command) => connectors::run(command),
        Command::Send(options) => send::run(options),
        Command::Health(options) => health::run(&options),
        Command::Completions(options) => completions::run(&options),
        Command::Man(options) => completions::man(&options),
    }
}

/// Where a command finds its database.
pub(crate) struct CommandContext<'m> {
    pub(crate) database: DatabaseOptions,
    pub(crate) matches: &'m ArgMatches,
    /// The database that it opened.
    opened: OnceCell<Database>,
}

impl CommandContext<'_> {
    /// Opens the database, also while a server runs on it.
    pub(crate) async fn open(&self) -> Result<Arc<dyn Store>, CommandError> {
        self.open_for(Use::Command).await
    }

    /// The same, but makes a new database where there is none.
    pub(crate) async fn open_or_make(&self) -> Result<Arc<dyn Store>, CommandError> {
        self.open_for(Use::Founding).await
    }

    async fn open_for(&self, used_by: Use) -> Result<Arc<dyn Store>, CommandError> {
        let database = open(&self.config()?, used_by).await?;
        if let Some(loss) = database.log_loss() {
            talk(format_args!("warning: {loss}"));
        }
        let store = database.store();
        drop(self.opened.set(database));
        Ok(store)
    }

    /// Opens the database without a word about a part of its log that is missing.
    async fn open_silently(&self) -> Result<Database, CommandError> {
        Ok(open(&self.config()?, Use::Command).await?)
    }

    /// Ends the use of the database, so that its file is whole without its log.
    async fn close(&self) {
        if let Some(database) = self.opened.get() {
            // A server beside the command may be in the way. Its own stop moves the log.
            let _all_moved = database.close().await;
        }
    }

    /// Where the secret key file is.
    pub(crate) fn key_file(&self) -> Result<std::path::PathBuf, CommandError> {
        Ok(self.config()?.key_file)
    }

    fn config(&self) -> Result<DatabaseConfig, CommandError> {
        let mut faults = Faults::default();
        let layers = Layers::read(&self.database, None, self.matches, &mut faults);
        let config = DatabaseConfig::parse(&layers, &mut faults);
        if !faults.0.is_empty() {
            return Err(CommandError::Usage(faults.0));
        }
        Ok(config)
    }
}

/// Opens the database that the configuration names.
pub(crate) async fn open(config: &DatabaseConfig, used_by: Use) -> Result<Database, OpenError> {
    let tasks = Tasks::new(CancellationToken::new(), doomed());
    Database::open(&config.url, &config.key_file, used_by, tasks).await
}

/// A name for people, as the API takes it.
pub(crate) fn name_of(text: &str) -> Result<String, CommandError> {
    display_name(text).map_err(|what| CommandError::Usage(vec![format!("--name: {what}")]))
}

/// Threads for blocking calls: at most 42 look up the names of webhooks, and a few that of a proxy.
const BLOCKING_THREADS_MAX: usize = 50;

/// Runs an asynchronous command.
pub(crate) fn wait_for(work: impl Future<Output = CommandResult>) -> CommandResult {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .build()?;
    let outcome = runtime.block_on(work);
    // The threads that are left hang in a system call or in a dropped request: waiting for them is no use.
    runtime.shutdown_background();
    outcome
}

/// Writes a line of data.
pub(crate) fn say(line: impl std::fmt::Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// Writes a line to standard error. If that fails, the command goes on.
pub(crate) fn talk(line: std::fmt::Arguments<'_>) {
    // It may repeat what a server answered.
    let line = harmless::harmless(&line.to_string());
    drop(writeln!(io::stderr().lock(), "{line}"));
}
