//! A standby of a cluster: a copy that follows it, and takes its place.

use std::fs;

use super::{Cluster, SUPERUSER, address};

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
        primary.wait_for_standby(true)
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
        let socket = self.socket();
        let psql = ["-h", &socket, "-U", SUPERUSER, "-d", "postgres", "-qXc"];
        for sql in [&*set, "SELECT pg_reload_conf()"] {
            self.ask("psql", &[&psql[..], &[sql]].concat())?;
        }
        Ok(())
    }

    /// Where a database is that either of two may have, as an address: whichever can be written.
    pub fn url_of_either(&self, other: &Self, database: &str) -> String {
        let folders = [self.folder.path(), other.folder.path()];
        address::behind_sockets(SUPERUSER, &folders, database)
    }
}
