//! A throw-away PostgreSQL cluster: in a temporary folder, behind a socket in it, gone with its handle.
//!
//! It runs the binaries that Debian installs, and installs them if they are missing and it may. PostgreSQL refuses to run as
//! root, so root lends it another user.

mod address;
mod patroni;
mod proxy;
mod standby;

use std::{
    fs,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use tempfile::TempDir;
use url::Url;

pub use patroni::Patroni;
pub use proxy::{Proxy, Traffic};

/// The user inside the cluster, who may do everything there.
const SUPERUSER: &str = "alerts";
/// The oldest version that the store knows.
const OLDEST: u32 = 15;
/// How long a start may take, recovery after a crash included.
const START_MAX: Duration = Duration::from_mins(1);

/// How a cluster is set up.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// Whether commits wait for the disk. Where they don't, a power cut would lose them, but the death of a process does not.
    pub to_disk: bool,
    /// Further settings, such as `max_connections=20`.
    pub settings: Vec<String>,
    /// Where the data is, if not in a temporary folder: an empty folder that exists.
    pub folder: Option<PathBuf>,
}

/// A cluster that runs, until it is dropped.
pub struct Cluster {
    folder: TempDir,
    data: PathBuf,
    programs: PathBuf,
    user: Option<(u32, u32)>,
    settings: Vec<String>,
    server: Option<Child>,
}

impl Cluster {
    /// Makes and starts one.
    pub fn start(setup: &Setup) -> anyhow::Result<Self> {
        let mut settings = setup.settings.clone();
        if !setup.to_disk {
            settings.extend(["fsync=off", "full_page_writes=off"].map(str::to_owned));
        }
        let mut cluster = Self::place(setup.folder.clone(), settings)?;
        fs::create_dir_all(&cluster.data)?;
        cluster.lend(&cluster.data)?;
        cluster.make()?;
        cluster.run()?;
        Ok(cluster)
    }

    /// A place for one, without data.
    fn place(data: Option<PathBuf>, settings: Vec<String>) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("alert-pg").tempdir()?;
        let cluster = Self {
            data: data.unwrap_or_else(|| folder.path().join("data")),
            folder,
            programs: programs()?,
            user: is_root()?.then(another_user).transpose()?,
            settings,
            server: None,
        };
        cluster.lend(cluster.folder.path())?;
        Ok(cluster)
    }

    /// Gives a folder to the user that it runs as.
    fn lend(&self, folder: &Path) -> anyhow::Result<()> {
        let Some((user, group)) = self.user else {
            return Ok(());
        };
        chown(folder, Some(user), Some(group)).with_context(|| folder.display().to_string())
    }

    /// Runs a program of PostgreSQL's to its end. Returns what it prints.
    fn ask(&self, program: &str, arguments: &[&str]) -> anyhow::Result<String> {
        let asked = self.command(program).args(arguments).output()?;
        let text = String::from_utf8_lossy(&asked.stderr);
        ensure!(asked.status.success(), "{program} failed: {text}");
        Ok(String::from_utf8(asked.stdout)?)
    }

    fn make(&self) -> anyhow::Result<()> {
        let data = self.data.display().to_string();
        let arguments = [
            "--pgdata",
            &data,
            "--username",
            SUPERUSER,
            "--auth",
            "trust",
            "--no-sync",
            "--no-instructions",
            "--encoding",
            "UTF8",
            "--locale",
            "C",
        ];
        self.ask("initdb", &arguments).map(drop)
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.current_dir(self.folder.path());
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }

    /// Starts it again after [`Cluster::stop`] or [`Cluster::kill`], and waits until it answers.
    pub fn run(&mut self) -> anyhow::Result<()> {
        let started = Instant::now();
        while started.elapsed() < START_MAX {
            let log = fs::File::create(self.folder.path().join("log"))?;
            let mut command = self.command("postgres");
            command
                .arg("-D")
                .arg(&self.data)
                .arg("-k")
                .arg(self.folder.path());
            for setting in ["listen_addresses=", "unix_socket_permissions=0777"] {
                command.args(["-c", setting]);
            }
            for setting in &self.settings {
                command.args(["-c", setting]);
            }
            let child = command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
                .spawn();
            self.server = Some(child.context("postgres can't be started")?);
            while started.elapsed() < START_MAX {
                if self.is_ready() {
                    return Ok(());
                }
                // One that was killed leaves processes behind that end a moment later; until then it can't start.
                if self.has_ended() {
                    break;
                }
                thread::sleep(Duration::from_millis(20));
            }
            thread::sleep(Duration::from_millis(50));
        }
        bail!("PostgreSQL does not start: {}", self.log())
    }

    fn is_ready(&self) -> bool {
        let asked = self
            .command("pg_isready")
            .arg("-q")
            .arg("-h")
            .arg(self.folder.path())
            .status();
        asked.is_ok_and(|status| status.success())
    }

    /// Whether it ended by itself.
    pub fn has_ended(&mut self) -> bool {
        let Some(server) = &mut self.server else {
            return true;
        };
        server.try_wait().is_ok_and(|status| status.is_some())
    }

    /// Ends it as a restart does: sessions are cut, nothing is lost.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        self.end("-INT")
    }

    /// Ends it as a crash does.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.end("-KILL")
    }

    fn end(&mut self, signal: &str) -> anyhow::Result<()> {
        if let Some(mut server) = self.server.take() {
            let pid = server.id().to_string();
            Command::new("kill").args([signal, &pid]).status()?;
            server.wait()?;
        }
        Ok(())
    }

    /// The first of its processes.
    pub fn pid(&self) -> Option<u32> {
        self.server.as_ref().map(Child::id)
    }

    /// Where a database is, as an address.
    pub fn url(&self, database: &str) -> String {
        address::behind_socket(SUPERUSER, self.folder.path(), database)
    }

    /// Makes a database.
    pub fn create(&self, database: &str) -> anyhow::Result<()> {
        self.ask(
            "createdb",
            &["-h", &self.socket(), "-U", SUPERUSER, database],
        )
        .map(drop)
    }

    /// The folder of its socket.
    fn socket(&self) -> String {
        self.folder.path().display().to_string()
    }

    /// What it said since it was started last.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

/// Names a server to test with.
pub const SERVER: &str = "DATABASE_URL_TEST";

/// A database of its own for a test, on the server that [`SERVER`] names. It is removed with its handle.
pub struct TestDatabase {
    server: Url,
    name: String,
    folder: TempDir,
}

impl TestDatabase {
    /// Makes one.
    pub fn make() -> anyhow::Result<Self> {
        #[expect(clippy::disallowed_methods, reason = "a test has no configuration")]
        let server = std::env::var(SERVER).with_context(|| {
            format!("{SERVER} names a PostgreSQL server; `cargo xtask test` starts one by itself")
        })?;
        Self::on(&server)
    }

    /// Makes one on the server at a URL.
    pub fn on(server: &str) -> anyhow::Result<Self> {
        let server = Url::parse(server).context("the test server's URL is no URL")?;
        let folder = tempfile::Builder::new()
            .prefix("test_")
            .rand_bytes(12)
            .tempdir()?;
        let name = folder.path().file_name().context("a folder has a name")?;
        let name = name.to_string_lossy().to_lowercase();
        let database = Self {
            server,
            name,
            folder,
        };
        database.run(&format!("CREATE DATABASE \"{}\"", database.name))?;
        Ok(database)
    }

    fn run(&self, sql: &str) -> anyhow::Result<()> {
        let psql = programs()?.join("psql");
        let ran = Command::new(psql)
            .args([self.server.as_str(), "-qXc", sql])
            .stdin(Stdio::null())
            .output()?;
        let text = String::from_utf8_lossy(&ran.stderr);
        ensure!(ran.status.success(), "{sql}: {text}");
        Ok(())
    }

    /// The name of the database on its server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it is.
    pub fn url(&self) -> String {
        let mut url = self.server.clone();
        url.set_path(&self.name);
        url.into()
    }

    /// A folder of its own.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// Makes a key file with the program, and returns the options that name it and a database.
pub fn arguments(program: &Path, url: &str, key_file: &Path) -> anyhow::Result<Vec<String>> {
    let made = Command::new(program)
        .args(["key", "new"])
        .arg(key_file)
        .stdin(Stdio::null())
        .output()?;
    let text = String::from_utf8_lossy(&made.stderr);
    ensure!(made.status.success(), "the key file can't be made: {text}");
    let key_file = key_file.display().to_string();
    let arguments = ["--database-url", url, "--secret-key-file", &key_file];
    Ok(arguments.map(str::to_owned).to_vec())
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // What can't be removed goes with the server.
        drop(self.run(&format!("DROP DATABASE \"{}\" WITH (FORCE)", self.name)));
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // What can't be ended is left to the system.
        drop(self.stop());
    }
}

/// The folder of the newest PostgreSQL that is installed, installing one if there is none.
fn programs() -> anyhow::Result<PathBuf> {
    if let Some(found) = installed() {
        return Ok(found);
    }
    let install = "PostgreSQL 15 or later is needed: apt-get install postgresql";
    if !is_root()? {
        bail!("{install}");
    }
    ensure!(install_package("postgresql"), "{install}");
    installed().context(install)
}

/// Installs a package of Debian's, without what it only recommends. Says whether that worked; it needs root.
pub fn install_package(package: &str) -> bool {
    let install = ["install", "-y", "-qq", "--no-install-recommends", package];
    [&["update", "-qq"][..], &install].iter().all(|arguments| {
        let status = Command::new("apt-get")
            .args(*arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdout(Stdio::null())
            .status();
        status.is_ok_and(|status| status.success())
    })
}

fn installed() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let newest = versions
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version: u32 = path.file_name()?.to_str()?.parse().ok()?;
            let programs = path.join("bin");
            (version >= OLDEST && programs.join("initdb").exists()).then_some((version, programs))
        })
        .max();
    newest.map(|(_, programs)| programs).or_else(on_path)
}

fn on_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).find(|folder: &PathBuf| {
        ["initdb", "postgres"]
            .iter()
            .all(|name| Path::new(folder).join(name).exists())
    })
}

fn is_root() -> anyhow::Result<bool> {
    Ok(number(&["-u"])? == 0)
}

/// The user that root lends: PostgreSQL's own, which its package makes, or else nobody.
fn another_user() -> anyhow::Result<(u32, u32)> {
    let of = |name: &str| anyhow::Ok((number(&["-u", name])?, number(&["-g", name])?));
    of("postgres").or_else(|_missing| of("nobody"))
}

fn number(arguments: &[&str]) -> anyhow::Result<u32> {
    let output = Command::new("id").args(arguments).output()?;
    ensure!(output.status.success(), "id {} failed", arguments.join(" "));
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}
