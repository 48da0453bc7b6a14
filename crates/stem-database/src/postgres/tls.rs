//! TLS as libpq's `sslmode` and `sslrootcert` describe it.
//!
//! `require` without authorities encrypts and verifies nothing, as it does in libpq: it keeps out who listens, not who
//! stands in between. With authorities it verifies that the certificate comes from one of them (`verify-ca`), and
//! `verify-full` that it is for this host too. The authorities of the system are used only where `system` is said, for
//! whoever they vouch for is not yet the one that was meant.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::session::{Failed, plain};
use crate::url::postgres::{Roots, TlsMode};

/// Largest file of certificates that is read.
const MAX_ROOTS: u64 = 16 << 20;

pub(super) fn connector(mode: TlsMode, roots: &Roots) -> Result<MakeRustlsConnect, Failed> {
    let provider = Arc::new(ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match (mode, authorities(mode, roots)?) {
        (TlsMode::VerifyFull, Some(roots)) => by_authority(roots, &provider)?,
        (TlsMode::VerifyCa | TlsMode::Require, Some(roots)) => {
            Arc::new(AnyName(by_authority(roots, &provider)?))
        }
        _ => Arc::new(Anyone(Arc::clone(&provider))),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&error))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn by_authority(
    roots: RootCertStore,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, Failed> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| unusable(&error))
}

fn unusable(error: &dyn std::fmt::Display) -> Failed {
    Failed::unavailable(format!("cannot be reached with TLS: {}", plain(&error.to_string())))
}

/// The authorities to verify with, or `None` where the mode does not ask for any and none are named.
fn authorities(mode: TlsMode, roots: &Roots) -> Result<Option<RootCertStore>, Failed> {
    let verified = matches!(mode, TlsMode::VerifyCa | TlsMode::VerifyFull);
    if !verified && mode != TlsMode::Require {
        return Ok(None);
    }
    let certificates = match roots {
        Roots::System => rustls_native_certs::load_native_certs().certs,
        Roots::File(path) => read(path)?,
        Roots::Usual => match usual().filter(|path| path.exists()) {
            Some(path) => read(&path)?,
            None if !verified => return Ok(None),
            None => {
                return Err(Failed::unavailable(
                    "is to be verified, and nobody says by whom: add sslrootcert=FILE, or sslrootcert=system for the \
                     authorities that the system trusts",
                ));
            }
        },
    };
    let mut store = RootCertStore::empty();
    let (added, _) = store.add_parsable_certificates(certificates);
    if added == 0 {
        return Err(Failed::unavailable(
            "cannot be verified: sslrootcert has no certificate of an authority",
        ));
    }
    Ok(Some(store))
}

/// Where libpq looks.
fn usual() -> Option<PathBuf> {
    Some(std::env::home_dir()?.join(".postgresql/root.crt"))
}

fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failed> {
    let shown = || stem_fs::show_bytes(path.as_os_str().as_encoded_bytes());
    let cannot = |error: &dyn std::fmt::Display| {
        Failed::unavailable(format!(
            "cannot be verified: sslrootcert '{}': {}",
            shown(),
            plain(&error.to_string())
        ))
    };
    let found = std::fs::metadata(path).map_err(|error| cannot(&error))?;
    if !found.is_file() || found.len() > MAX_ROOTS {
        return Err(cannot(&"not a file of certificates"));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| cannot(&error))?;
    file.take(MAX_ROOTS).read_to_end(&mut bytes).map_err(|error| cannot(&error))?;
    CertificateDer::pem_slice_iter(&bytes).collect::<Result<_, _>>().map_err(|error| cannot(&error))
}

/// Takes every certificate, whose owner then has to have its key.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Takes every certificate of an authority, whatever host it is for.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        match self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The name is looked at last, when everything else has been found right.
            Err(TlsError::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
