//! A small disk, which a scenario fills.

use std::{path::PathBuf, process::Command};

use anyhow::ensure;
use tempfile::TempDir;

/// A file system in memory, unmounted with its handle.
pub(crate) struct SmallDisk(pub(crate) TempDir);

impl SmallDisk {
    pub(crate) fn mount(mebibytes: usize) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let size = format!("size={mebibytes}m");
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "torture"])
            .arg(folder.path())
            .status()?;
        ensure!(
            status.success(),
            "a small file system can't be mounted; run this as root"
        );
        Ok(Self(folder))
    }

    /// Takes all the room there is.
    pub(crate) fn fill(&self) -> PathBuf {
        let path = self.0.path().join("ballast");
        let mut size = 1 << 20;
        let mut ballast = Vec::new();
        while size >= 512 {
            ballast.resize(ballast.len() + size, 1);
            if std::fs::write(&path, &ballast).is_err() {
                ballast.truncate(ballast.len() - size);
                size /= 2;
            }
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Where it fails the system unmounts it at the next start.
        drop(Command::new("umount").arg("-l").arg(self.0.path()).status());
    }
}
