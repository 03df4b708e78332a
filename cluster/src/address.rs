//! How the address of a database names its server: by the folder of a socket, or by host and port.

use std::path::{Path, PathBuf};

use anyhow::Context;
use url::Url;

/// PostgreSQL's name for the socket of its usual port.
pub(crate) const SOCKET: &str = ".s.PGSQL.5432";

/// Where a server listens.
#[derive(Debug, Clone)]
pub(crate) enum Address {
    Socket(PathBuf),
    Tcp(String, u16),
}

impl Address {
    pub(crate) fn of(url: &Url) -> anyhow::Result<Self> {
        let host = url.host_str().context("the server has no host")?;
        if host.starts_with("%2F") {
            let folder = PathBuf::from(host.replace("%2F", "/"));
            return Ok(Self::Socket(folder.join(SOCKET)));
        }
        let host = host.trim_matches(['[', ']']);
        Ok(Self::Tcp(host.to_owned(), url.port().unwrap_or(5_432)))
    }
}

/// The address of a database whose server has its socket in a folder.
pub(crate) fn behind_socket(user: &str, folder: &Path, database: &str) -> String {
    let host = host(folder);
    format!("postgres://{user}@{host}/{database}")
}

/// The address of a database of several servers, of which one can be written.
pub(crate) fn behind_sockets(user: &str, folders: &[&Path], database: &str) -> String {
    let hosts: Vec<String> = folders.iter().map(|folder| host(folder)).collect();
    let hosts = hosts.join(",");
    format!("postgres://{user}@{hosts}/{database}?target_session_attrs=read-write")
}

/// The address of a database of several servers on this machine, of which one can be written.
pub(crate) fn of_ports(user: &str, ports: &[u16], database: &str) -> String {
    let hosts: Vec<String> = ports
        .iter()
        .map(|port| format!("127.0.0.1:{port}"))
        .collect();
    let hosts = hosts.join(",");
    format!("postgres://{user}@{hosts}/{database}?target_session_attrs=read-write")
}

fn host(folder: &Path) -> String {
    folder.display().to_string().replace('/', "%2F")
}
