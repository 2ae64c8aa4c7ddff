//! The listener speaks TLS, and takes a new certificate without being started again.

use std::{fs, path::PathBuf, sync::Arc};

use api::ingress::tls::Tls;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName},
    },
};
use uuid::Uuid;

use crate::connections::{Served, rest};

struct Files(PathBuf);

impl Files {
    fn new() -> Self {
        let directory = std::env::temp_dir().join(format!("daybook-tls-{}", Uuid::now_v7()));
        fs::create_dir(&directory).unwrap();
        Self(directory)
    }

    fn certificate(&self) -> PathBuf {
        self.0.join("certificate.pem")
    }

    fn key(&self) -> PathBuf {
        self.0.join("key.pem")
    }

    /// Puts another certificate there.
    fn renew(&self) -> CertificateDer<'static> {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["shop.example".to_owned()]).unwrap();
        fs::write(self.certificate(), cert.pem()).unwrap();
        fs::write(self.key(), signing_key.serialize_pem()).unwrap();
        cert.der().clone()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The first line of an answer, to whoever trusts that certificate alone.
async fn ask(served: &Served, trusted: &CertificateDer<'static>) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("shop.example").unwrap();
    let stream = served.connect().await;
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8(answer).unwrap().lines().next().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_come_over_tls_and_a_renewed_certificate_is_taken() {
    let files = Files::new();
    let first = files.renew();
    let tls = Tls::load(&files.certificate(), &files.key()).unwrap();
    let served = Served::start(Some(tls.clone())).await;
    assert_eq!(ask(&served, &first).await.unwrap(), "HTTP/1.1 200 OK");
    let second = files.renew();
    assert!(ask(&served, &second).await.is_err(), "it is not read yet");
    tls.read_again().unwrap();
    assert_eq!(ask(&served, &second).await.unwrap(), "HTTP/1.1 200 OK");
    fs::write(files.key(), "rubbish").unwrap();
    assert!(tls.read_again().is_err());
    assert_eq!(ask(&served, &second).await.unwrap(), "HTTP/1.1 200 OK", "what was read before stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn clear_text_on_the_port_of_tls_is_not_answered() {
    let files = Files::new();
    files.renew();
    let served = Served::start(Some(Tls::load(&files.certificate(), &files.key()).unwrap())).await;
    let mut stream = served.connect().await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: shop\r\n\r\n").await.unwrap();
    assert!(!rest(&mut stream).await.contains("200"));
}

#[test]
fn a_certificate_that_cannot_be_used_is_named_and_its_key_not_told() {
    let files = Files::new();
    let missing = Tls::load(&files.certificate(), &files.key()).err().unwrap().to_string();
    assert!(missing.contains("certificate.pem"), "{missing}");
    files.renew();
    fs::write(files.certificate(), "").unwrap();
    let empty = Tls::load(&files.certificate(), &files.key()).err().unwrap().to_string();
    assert!(empty.contains("has no certificate"), "{empty}");
    files.renew();
    fs::write(files.key(), "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n").unwrap();
    let wrong = Tls::load(&files.certificate(), &files.key()).err().unwrap().to_string();
    assert!(!wrong.contains("c2VjcmV0") && !wrong.contains("secret"), "{wrong}");
}
