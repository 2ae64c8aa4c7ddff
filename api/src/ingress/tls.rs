//! The listener's certificate and key, read from files and read again when they change.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        crypto::ring,
        pki_types::{
            CertificateDer, PrivateKeyDer, UnixTime,
            pem::{self, PemObject as _},
        },
    },
};
use webpki::{EndEntityCert, KeyUsage};

/// No certificate's time ends so late.
const YEAR_10000_S: u64 = 253_402_300_800;
/// The end of a certificate's time, where it cannot be told.
const UNKNOWN: i64 = i64::MIN;
/// How often the files are looked at: certificates are renewed days before they end.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// What clients agree on keys with. Cheap to clone.
#[derive(Clone)]
pub struct Tls {
    files: Files,
    config: Arc<RwLock<Arc<ServerConfig>>>,
    /// When the certificate's time ends, where that can be told.
    not_after_s: Arc<AtomicI64>,
}

#[derive(Clone, Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// A certificate or key that cannot be used. Neither's content is told.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read as PEM.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: pem::Error,
    },
    /// There is no certificate in the file.
    #[error("{0} has no certificate")]
    NoCertificate(PathBuf),
    /// The two do not belong together, or are of a kind that is not supported.
    #[error("the certificate and its key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

impl Tls {
    /// Reads a certificate with its chain, and its key.
    ///
    /// # Errors
    /// When the files cannot be read, or do not belong together.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let files = Files { certificate: certificate.to_owned(), key: key.to_owned() };
        let (config, not_after_s) = files.read()?;
        let not_after_s = Arc::new(AtomicI64::new(not_after_s.unwrap_or(UNKNOWN)));
        Ok(Self { files, config: Arc::new(RwLock::new(Arc::new(config))), not_after_s })
    }

    /// When the certificate's time ends, in seconds since the epoch, where that can be told.
    #[must_use]
    pub fn not_after_s(&self) -> Option<i64> {
        Some(self.not_after_s.load(Relaxed)).filter(|not_after_s| *not_after_s != UNKNOWN)
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Reads the files again.
    ///
    /// # Errors
    /// When they cannot be used; what was read before stays.
    pub fn read_again(&self) -> Result<(), TlsError> {
        let (config, not_after_s) = self.files.read()?;
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
        self.not_after_s.store(not_after_s.unwrap_or(UNKNOWN), Relaxed);
        Ok(())
    }

    /// Reads the files again whenever they have changed, for ever.
    pub async fn keep_up(self) {
        let mut seen = self.files.changed_at();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = self.files.changed_at();
            if now == seen {
                continue;
            }
            match self.read_again() {
                Ok(()) => {
                    seen = now;
                    tracing::info!(certificate = %self.files.certificate.display(), "the certificate was read again");
                }
                // Perhaps only one of the two was replaced so far.
                Err(error) => {
                    tracing::error!(%error, "the new certificate cannot be used; the old one stays")
                }
            }
        }
    }
}

/// When a certificate's time ends. The library tells that where it refuses a certificate for it, so it is asked about a
/// moment after any.
fn not_after_s(certificate: &CertificateDer<'_>) -> Option<i64> {
    let certificate = EndEntityCert::try_from(certificate).ok()?;
    let after_any = UnixTime::since_unix_epoch(Duration::from_secs(YEAR_10000_S));
    let refused = certificate.verify_for_usage(&[], &[], &[], after_any, KeyUsage::server_auth(), None, None);
    match refused {
        Err(webpki::Error::CertExpired { not_after, .. }) => i64::try_from(not_after.as_secs()).ok(),
        _ => None,
    }
}

impl Files {
    /// What they say, and when the certificate's time ends.
    fn read(&self) -> Result<(ServerConfig, Option<i64>), TlsError> {
        let unread = |path: &Path| {
            let path = path.to_owned();
            move |source| TlsError::File { path, source }
        };
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&self.certificate)
            .and_then(Iterator::collect)
            .map_err(unread(&self.certificate))?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate(self.certificate.clone()));
        }
        let not_after_s = chain.first().and_then(not_after_s);
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(unread(&self.key))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok((config, not_after_s))
    }

    fn changed_at(&self) -> [Option<SystemTime>; 2] {
        [&self.certificate, &self.key].map(|path| path.metadata().and_then(|about| about.modified()).ok())
    }
}
