//! Names to addresses. Whatever a resolver answers, the sender connects only to addresses that it has checked.

use std::{io, net::SocketAddr};

use async_trait::async_trait;

/// Looks names up.
#[async_trait]
pub trait Resolve: Send + Sync {
    /// The addresses of a host, with the port to connect to.
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// The system's own resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }
}
