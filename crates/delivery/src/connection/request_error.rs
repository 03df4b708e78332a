//! Why a request has no answer, in the words of the API's test call.

/// Why there is no answer. Nothing of a webhook URL after its host is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Connecting took too long.
    #[error("Connection timeout")]
    ConnectTimeout,
    /// Sending the request took too long.
    #[error("Connection timeout")]
    Timeout,
    /// No server listens there.
    #[error("Connection refused")]
    Refused,
    /// The name is not known.
    #[error("DNS lookup failed")]
    Dns,
    /// The certificate is not trusted, or not for that name.
    #[error("TLS certificate not trusted: {0}")]
    Untrusted(CertificateFault),
    /// The server does not agree to speak HTTP/1.1 over TLS.
    #[error("The server speaks only HTTP/2; let it accept HTTP/1.1 as well")]
    OnlyHttp2,
    /// The name leads to an address that webhooks may not go to, or the host is not allowed.
    #[error("Address not allowed")]
    NotAllowed,
    /// No connection came about, or what answered is no HTTPS server.
    #[error("Connection failed")]
    NotConnected,
    /// The connection broke before the request had left whole.
    #[error("Connection failed")]
    Broken,
    /// The proxy did not let the request through.
    #[error("{0}")]
    Proxy(ProxyFault),
    /// The request left whole, and no answer came in time: the message may stand there.
    #[error("Connection timeout: the message was sent whole and may have arrived")]
    Unanswered,
    /// The request left whole, and the connection broke before an answer came: the message may stand there.
    #[error("Connection closed without an answer: the message was sent whole and may have arrived")]
    ClosedUnanswered,
    /// The request left whole, and what came back is not HTTP/1.1: the message may stand there.
    #[error("The answer is not HTTP/1.1: the message was sent whole and may have arrived")]
    NotHttp,
}

impl RequestError {
    /// Whether the request left whole, so that the message may stand there.
    pub(crate) const fn may_have_arrived(self) -> bool {
        matches!(
            self,
            Self::Unanswered | Self::ClosedUnanswered | Self::NotHttp
        )
    }

    /// Whether nothing of the message was sent, so that it can't be the message's fault.
    pub(crate) const fn is_before_sending(self) -> bool {
        matches!(
            self,
            Self::ConnectTimeout
                | Self::Refused
                | Self::Dns
                | Self::Untrusted(_)
                | Self::OnlyHttp2
                | Self::NotAllowed
                | Self::NotConnected
                | Self::Proxy(_)
        )
    }
}

/// What is wrong with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    /// It was valid once.
    #[error("it has expired")]
    Expired,
    /// It will be valid.
    #[error("it is not valid yet; check this machine's clock")]
    NotValidYet,
    /// It names other hosts.
    #[error("it was issued for another host")]
    OtherHost,
    /// It vouches for itself.
    #[error("it is self-signed; name it with --ca-file if it is meant to be trusted")]
    SelfSigned,
    /// The server sent it alone, and its issuer is not known.
    #[error(
        "its issuer is unknown and the server sent no intermediate certificate (incomplete chain); let it send the whole chain, or name the authority with --ca-file"
    )]
    IncompleteChain,
    /// Its chain leads to no trusted authority.
    #[error("its authority is unknown; name it with --ca-file if it is meant to be trusted")]
    UnknownAuthority,
    /// Anything else.
    #[error("it is not valid")]
    Invalid,
}

/// Why a proxy did not let a request through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyFault {
    /// It can't be reached.
    #[error("Proxy not reachable")]
    Unreachable,
    /// It wants to know who asks.
    #[error("Proxy wants credentials (HTTP 407); put them into --proxy")]
    Credentials,
    /// It answered with this status.
    #[error("Proxy refused the connection (HTTP {0})")]
    Refused(u16),
    /// It answered nothing that could be read.
    #[error("Proxy broke the connection off")]
    Broken,
}
