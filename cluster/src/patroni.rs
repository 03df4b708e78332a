//! Two PostgreSQL servers that Patroni keeps: when the machine of one dies, the other is promoted without anybody's help.
//!
//! Patroni's own Raft holds the lock of the leader, with a third voice that has no data, so that no other service is needed.

use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use tempfile::TempDir;

use super::{SUPERUSER, address, another_user, install_package, is_root, programs};

/// How long the first start may take.
const START_MAX: Duration = Duration::from_mins(2);
/// The lock of a leader that died lapses after 20 s, which is the least that Patroni takes; then the other one is promoted.
const FAILOVER_MAX: Duration = Duration::from_mins(1);
/// What Patroni is in Debian, and its Raft.
const PACKAGES: [&str; 2] = ["patroni", "python3-pysyncobj"];

/// Servers that Patroni keeps, until it is dropped.
pub struct Patroni {
    folder: TempDir,
    user: Option<(u32, u32)>,
    programs: PathBuf,
    members: [Member; 2],
    witness: Option<Child>,
}

/// A machine with a server and its Patroni.
struct Member {
    name: &'static str,
    port: u16,
    process: Option<Child>,
}

impl Patroni {
    /// Makes and starts one, and waits until commits wait for the standby. It takes as many sessions as three replicas need.
    pub fn start() -> anyhow::Result<Self> {
        if !Path::new("/usr/bin/patroni").exists() {
            for package in PACKAGES {
                install_package(package);
            }
        }
        let needed = Path::new("/usr/bin/patroni").exists();
        ensure!(
            needed,
            "Patroni is needed: apt-get install {}",
            PACKAGES.join(" ")
        );
        let [
            first,
            second,
            raft_first,
            raft_second,
            raft_witness,
            rest_first,
            rest_second,
        ] = free_ports()?;
        let member = |name, port| Member {
            name,
            port,
            process: None,
        };
        let mut patroni = Self {
            folder: tempfile::Builder::new().prefix("alert-patroni").tempdir()?,
            user: is_root()?.then(another_user).transpose()?,
            programs: programs()?,
            members: [member("db1", first), member("db2", second)],
            witness: None,
        };
        patroni.lend(patroni.folder.path())?;
        let rafts = [raft_first, raft_second, raft_witness];
        for (at, rest) in [rest_first, rest_second].into_iter().enumerate() {
            let written = patroni.written(at, rest, rafts);
            patroni.write(patroni.members[at].name, &written)?;
        }
        patroni.write("witness", &raft(patroni.folder.path(), "witness", rafts, 2))?;
        patroni.witness = Some(patroni.run("patroni_raft_controller", "witness")?);
        for at in 0..2 {
            patroni.start_member(at)?;
        }
        patroni.until_whole(START_MAX)?;
        Ok(patroni)
    }

    /// The file of a member.
    fn written(&self, at: usize, rest: u16, rafts: [u16; 3]) -> String {
        let Member { name, port, .. } = self.members[at];
        let (folder, bin) = (self.folder.path().display(), self.programs.display());
        let raft = raft(self.folder.path(), name, rafts, at);
        format!(
            "scope: alerts
name: {name}
restapi: {{listen: \"127.0.0.1:{rest}\", connect_address: \"127.0.0.1:{rest}\"}}
{raft}bootstrap:
  dcs: {{ttl: 20, loop_wait: 1, retry_timeout: 3, synchronous_mode: true, postgresql: {{use_pg_rewind: false,
    remove_data_directory_on_diverged_timelines: true}}}}
  initdb: [{{encoding: UTF8}}, {{auth: trust}}, {{locale: C}}]
postgresql:
  listen: \"127.0.0.1:{port}\"
  connect_address: \"127.0.0.1:{port}\"
  data_dir: {folder}/{name}.data
  bin_dir: {bin}
  parameters: {{unix_socket_directories: \"{folder}\", max_connections: 32}}
  pg_hba: [\"local all all trust\", \"host all all 127.0.0.1/32 trust\", \"host replication all 127.0.0.1/32 trust\"]
  authentication: {{superuser: {{username: {SUPERUSER}}}, replication: {{username: {SUPERUSER}}}}}
"
        )
    }

    fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        fs::create_dir(self.folder.path().join(format!("{name}.raft")))?;
        self.lend(&self.folder.path().join(format!("{name}.raft")))?;
        fs::write(self.folder.path().join(format!("{name}.yml")), text)?;
        Ok(())
    }

    /// Gives a folder to the user that it runs as.
    fn lend(&self, folder: &Path) -> anyhow::Result<()> {
        let Some((user, group)) = self.user else {
            return Ok(());
        };
        chown(folder, Some(user), Some(group)).with_context(|| folder.display().to_string())
    }

    fn run(&self, program: &str, name: &str) -> anyhow::Result<Child> {
        let log = fs::File::create(self.folder.path().join(format!("{name}.log")))?;
        let mut command = Command::new(program);
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        let command = command
            .arg(format!("{name}.yml"))
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            .stdin(Stdio::null())
            // With what it starts, such as initdb, it can be ended as one.
            .process_group(0)
            .stdout(log.try_clone()?)
            .stderr(log);
        command
            .spawn()
            .with_context(|| format!("{program} can't be started"))
    }

    /// Starts the machine of a member. It joins the other as its standby.
    pub fn start_member(&mut self, at: usize) -> anyhow::Result<()> {
        let process = self.run("patroni", self.members[at].name)?;
        self.members[at].process = Some(process);
        Ok(())
    }

    /// The machine of the leader dies. Returns which one it was.
    pub fn kill_leader(&mut self) -> anyhow::Result<usize> {
        let leader = self.leader().context("there is a leader")?;
        self.kill_member(leader)?;
        Ok(leader)
    }

    fn kill_member(&mut self, at: usize) -> anyhow::Result<()> {
        let name = self.members[at].name;
        let pid_file = self
            .folder
            .path()
            .join(format!("{name}.data/postmaster.pid"));
        // Patroni first, or it would start its server again.
        if let Some(mut process) = self.members[at].process.take() {
            let group = format!("-{}", process.id());
            kill(&group)?;
            process.wait()?;
        }
        let pid = fs::read_to_string(&pid_file).unwrap_or_default();
        if let Some(pid) = pid.lines().next() {
            kill(pid)?;
            // Another process may have this number later.
            fs::remove_file(&pid_file)?;
        }
        Ok(())
    }

    /// Waits until the other member has taken the place of one that died.
    pub fn until_taken_over(&self, dead: usize) -> anyhow::Result<()> {
        self.until(FAILOVER_MAX, "nobody is promoted", || {
            self.is_leader(1 - dead)
        })
    }

    /// Waits until there is a leader whose commits wait for the other member.
    pub fn until_whole(&self, at_most: Duration) -> anyhow::Result<()> {
        let followed = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        let is_whole = || {
            let leader = self.leader();
            leader
                .is_some_and(|leader| self.ask(leader, followed).is_some_and(|count| count == "1"))
        };
        self.until(at_most, "no standby follows", is_whole)
    }

    fn until(
        &self,
        at_most: Duration,
        otherwise: &str,
        is_so: impl Fn() -> bool,
    ) -> anyhow::Result<()> {
        let started = Instant::now();
        while started.elapsed() < at_most {
            if is_so() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(100));
        }
        let log = |name: &str| {
            fs::read_to_string(self.folder.path().join(format!("{name}.log"))).unwrap_or_default()
        };
        bail!("{otherwise}: {}\n{}", log("db1"), log("db2"))
    }

    fn leader(&self) -> Option<usize> {
        (0..2).find(|at| self.is_leader(*at))
    }

    fn is_leader(&self, at: usize) -> bool {
        self.ask(at, "SELECT pg_is_in_recovery()")
            .is_some_and(|answer| answer == "f")
    }

    /// What a member answers to a query; nothing if it does not answer.
    fn ask(&self, at: usize, sql: &str) -> Option<String> {
        let port = self.members[at].port.to_string();
        let asked = Command::new(self.programs.join("psql"))
            .args([
                "-h",
                "127.0.0.1",
                "-p",
                &port,
                "-U",
                SUPERUSER,
                "-d",
                "postgres",
                "-qXAtc",
                sql,
            ])
            .stdin(Stdio::null())
            .output()
            .ok()?;
        let answer = String::from_utf8(asked.stdout).ok()?;
        asked.status.success().then(|| answer.trim().to_owned())
    }

    /// Makes a database.
    pub fn create(&self, database: &str) -> anyhow::Result<()> {
        let leader = self.leader().context("there is a leader")?;
        let made = self.ask(leader, &format!("CREATE DATABASE \"{database}\""));
        ensure!(made.is_some(), "the database {database} can't be made");
        Ok(())
    }

    /// Where a database is, as an address: at whichever member can be written.
    pub fn url(&self, database: &str) -> String {
        let ports = [self.members[0].port, self.members[1].port];
        address::of_ports(SUPERUSER, &ports, database)
    }
}

/// The part of a member, or of the witness, in the Raft.
fn raft(folder: &Path, name: &str, ports: [u16; 3], own: usize) -> String {
    let address = |port: &u16| format!("\"127.0.0.1:{port}\"");
    let others = ports.iter().enumerate().filter(|(at, _)| *at != own);
    let others: Vec<String> = others.map(|(_, port)| address(port)).collect();
    format!(
        "raft: {{data_dir: {}/{name}.raft, self_addr: {}, partner_addrs: [{}]}}\n",
        folder.display(),
        address(&ports[own]),
        others.join(", ")
    )
}

/// Kills a process, or a group of them by its negative number; one that has ended already is no fault.
fn kill(process: &str) -> anyhow::Result<()> {
    let mut command = Command::new("kill");
    command.args(["-KILL", "--", process]).stderr(Stdio::null());
    command.status()?;
    Ok(())
}

/// Ports that are free now.
fn free_ports<const N: usize>() -> anyhow::Result<[u16; N]> {
    let mut listeners = Vec::with_capacity(N);
    for _ in 0..N {
        listeners.push(TcpListener::bind("127.0.0.1:0")?);
    }
    let mut ports = [0; N];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}

impl Drop for Patroni {
    fn drop(&mut self) {
        // What can't be ended is left to the system.
        for at in 0..2 {
            drop(self.kill_member(at));
        }
        if let Some(witness) = &mut self.witness {
            drop(witness.kill());
            drop(witness.wait());
        }
    }
}
