//! Which certificates are trusted, and what is wrong with one that is not.

use std::sync::Arc;

use alert_connectors_model::SystemClock;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use webpki::EndEntityCert;

use super::{CertificateFault, RequestError};

/// Whose certificates are trusted.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// Beside Mozilla's public roots, these: authorities, or self-signed certificates of receivers.
    pub extra_roots: Vec<CertificateDer<'static>>,
}

impl Trust {
    /// The configuration of a TLS client that trusts so, and speaks HTTP/1.1 only.
    pub fn client_config(self) -> Result<ClientConfig, rustls::Error> {
        let mut roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        for root in &self.extra_roots {
            roots.add(root.clone())?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let by_chain = WebPkiServerVerifier::builder_with_provider(
            Arc::new(roots),
            Arc::<CryptoProvider>::clone(&provider),
        )
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))?;
        let verifier = Verifier {
            by_chain,
            named: self.extra_roots,
        };
        let mut config = ClientConfig::builder_with_details(provider, Arc::new(SystemClock))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// Judges by the chain of issuers as usual. A self-signed certificate that was named itself is trusted for its own name,
/// although it stands in the place of an authority.
#[derive(Debug)]
struct Verifier {
    by_chain: Arc<WebPkiServerVerifier>,
    named: Vec<CertificateDer<'static>>,
}

impl Verifier {
    /// What an error of the chain means, with what the chain itself shows.
    fn fault(
        error: &rustls::Error,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
    ) -> CertificateFault {
        use CertificateError as Error;
        let rustls::Error::InvalidCertificate(error) = error else {
            return CertificateFault::Invalid;
        };
        #[expect(clippy::wildcard_enum_match_arm, reason = "the library's list is open")]
        match error {
            Error::Expired | Error::ExpiredContext { .. } => CertificateFault::Expired,
            Error::NotValidYet | Error::NotValidYetContext { .. } => CertificateFault::NotValidYet,
            Error::NotValidForName | Error::NotValidForNameContext { .. } => {
                CertificateFault::OtherHost
            }
            _ if is_self_signed(certificate) => CertificateFault::SelfSigned,
            Error::UnknownIssuer if intermediates.is_empty() => CertificateFault::IncompleteChain,
            // A bad signature: an authority of the same name is trusted, and did not sign it.
            Error::UnknownIssuer | Error::BadSignature => CertificateFault::UnknownAuthority,
            _ => CertificateFault::Invalid,
        }
    }

    /// Whether the certificate was named itself, and is refused for nothing but standing in the place of an authority. Its
    /// dates are checked before that.
    fn is_named(&self, error: &rustls::Error, certificate: &CertificateDer<'_>) -> bool {
        let rustls::Error::InvalidCertificate(CertificateError::Other(cause)) = error else {
            return false;
        };
        let cause = cause.0.downcast_ref::<webpki::Error>();
        cause == Some(&webpki::Error::CaUsedAsEndEntity) && self.named.contains(certificate)
    }
}

fn is_self_signed(certificate: &CertificateDer<'_>) -> bool {
    EndEntityCert::try_from(certificate).is_ok_and(|one| one.issuer() == one.subject())
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let checked = self
            .by_chain
            .verify_server_cert(certificate, intermediates, name, ocsp, now);
        let Err(error) = checked else {
            return checked;
        };
        let fault = if self.is_named(&error, certificate) {
            let is_for_name = EndEntityCert::try_from(certificate)
                .is_ok_and(|one| one.verify_is_valid_for_subject_name(name).is_ok());
            if is_for_name {
                return Ok(ServerCertVerified::assertion());
            }
            CertificateFault::OtherHost
        } else {
            Self::fault(&error, certificate, intermediates)
        };
        let fault = rustls::OtherError(Arc::new(fault));
        Err(rustls::Error::InvalidCertificate(CertificateError::Other(
            fault,
        )))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.by_chain
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.by_chain
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_chain.supported_verify_schemes()
    }
}

/// What a failed handshake means.
pub(crate) fn handshake_error(error: &std::io::Error) -> RequestError {
    let cause = error
        .get_ref()
        .and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(CertificateError::Other(fault))) => {
            let fault = fault.0.downcast_ref::<CertificateFault>();
            RequestError::Untrusted(fault.copied().unwrap_or(CertificateFault::Invalid))
        }
        Some(rustls::Error::InvalidCertificate(_)) => {
            RequestError::Untrusted(CertificateFault::Invalid)
        }
        Some(rustls::Error::AlertReceived(rustls::AlertDescription::NoApplicationProtocol)) => {
            RequestError::OnlyHttp2
        }
        _ => RequestError::NotConnected,
    }
}
