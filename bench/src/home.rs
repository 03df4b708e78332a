//! Where a server keeps what it has, and what that costs beside the server itself.

use std::{fs, path::Path};

use alert_connectors_cluster::{Cluster, Setup};

use crate::process::{TICKS, cpu_of};

/// Which store is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    Sqlite,
    Postgres,
}

impl Store {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "sqlite" => Some(Self::Sqlite),
            "postgres" => Some(Self::Postgres),
            _ => None,
        }
    }
}

/// A fresh database, gone with its handle.
pub(crate) struct Home {
    /// The options that name it to the program.
    pub(crate) arguments: Vec<String>,
    cluster: Option<Cluster>,
}

impl Home {
    pub(crate) fn make(store: Store, server: &str, folder: &Path) -> anyhow::Result<Self> {
        if store == Store::Sqlite {
            let url = format!("sqlite://{}", folder.join("bench.db").display());
            return Ok(Self {
                arguments: vec!["--database-url".to_owned(), url],
                cluster: None,
            });
        }
        let cluster = Cluster::start(&Setup {
            to_disk: true,
            settings: ["shared_buffers=256MB", "max_wal_size=2GB"]
                .map(str::to_owned)
                .to_vec(),
            folder: None,
        })?;
        cluster.create("bench")?;
        let (url, key_file) = (cluster.url("bench"), folder.join("secret.key"));
        Ok(Self {
            arguments: alert_connectors_cluster::arguments(Path::new(server), &url, &key_file)?,
            cluster: Some(cluster),
        })
    }

    /// CPU seconds of the database's own processes, those that have ended included.
    pub(crate) fn cpu(&self) -> anyhow::Result<f64> {
        let Some(first) = self.cluster.as_ref().and_then(Cluster::pid) else {
            return Ok(0.0);
        };
        let first = first.to_string();
        let mut cpu = cpu_of(&first)? + ended_cpu(&first);
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(process) = name.to_str().filter(|name| name.parse::<u32>().is_ok()) else {
                continue;
            };
            // It may end while it is looked at; then it is counted with those that have ended.
            if field(process, 1).is_some_and(|parent| parent == first) {
                cpu += cpu_of(process).unwrap_or(0.0);
            }
        }
        Ok(cpu)
    }
}

/// A field of `/proc/PID/stat`, counted from behind the name.
fn field(process: &str, at: usize) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let after_name = stat.rsplit_once(") ")?.1;
    after_name.split(' ').nth(at).map(str::to_owned)
}

/// CPU seconds of the children of a process that have ended.
fn ended_cpu(process: &str) -> f64 {
    let ticks = |at| field(process, at).and_then(|field| field.parse::<f64>().ok());
    (ticks(13).unwrap_or(0.0) + ticks(14).unwrap_or(0.0)) / TICKS
}
