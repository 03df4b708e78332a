//! A standby of a cluster: a copy that follows it, and takes its place.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::bail;

use super::{Cluster, START_MAX, SUPERUSER, address};

impl Cluster {
    /// Makes a standby, and has commits wait for it.
    pub fn standby(&self) -> anyhow::Result<Self> {
        let mut standby = Self::place(None, self.settings.clone())?;
        standby.follow(self)?;
        Ok(standby)
    }

    /// Becomes a standby of another one, whose commits wait for it from then on. What it had is gone.
    pub fn follow(&mut self, primary: &Self) -> anyhow::Result<()> {
        self.stop()?;
        if self.data.exists() {
            fs::remove_dir_all(&self.data)?;
        }
        let data = self.data.display().to_string();
        let from = ["-h", &primary.socket(), "-U", SUPERUSER, "-D", &data];
        let whole = ["--write-recovery-conf", "--checkpoint=fast", "--no-sync"];
        self.ask("pg_basebackup", &[&from[..], &whole].concat())?;
        self.run()?;
        primary.wait_for_standby(true)?;
        primary.until_followed()
    }

    /// Waits until commits wait for a standby that is there.
    fn until_followed(&self) -> anyhow::Result<()> {
        let standbys = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        let started = Instant::now();
        while started.elapsed() < START_MAX {
            if self.query(standbys)?.trim() == "1" {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(20));
        }
        bail!("no standby follows: {}", self.log())
    }

    /// Takes the place of the one that it followed. Its commits wait for nobody, until it is followed itself.
    pub fn promote(&self) -> anyhow::Result<()> {
        let data = self.data.display().to_string();
        self.ask("pg_ctl", &["promote", "--pgdata", &data])?;
        self.wait_for_standby(false)
    }

    fn wait_for_standby(&self, waits: bool) -> anyhow::Result<()> {
        let names = if waits { "*" } else { "" };
        let set = format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'");
        self.query(&set)?;
        self.query("SELECT pg_reload_conf()").map(drop)
    }

    fn query(&self, sql: &str) -> anyhow::Result<String> {
        let socket = self.socket();
        self.ask(
            "psql",
            &[
                "-h", &socket, "-U", SUPERUSER, "-d", "postgres", "-qXAtc", sql,
            ],
        )
    }

    /// Where a database is that either of two may have, as an address: whichever can be written.
    pub fn url_of_either(&self, other: &Self, database: &str) -> String {
        let folders = [self.folder.path(), other.folder.path()];
        address::behind_sockets(SUPERUSER, &folders, database)
    }
}
