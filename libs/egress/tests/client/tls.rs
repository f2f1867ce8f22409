//! Encrypted connections.

use std::sync::Arc;

use buildwright_egress::{Client, FailureClass, Settings};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use super::inside::Scripted;
use super::server::Server;
use super::{answer, client, fails_as, settings};

/// Of `receiver.example`, signed by itself, good for a hundred years.
const CERTIFICATE: &[u8] = include_bytes!("receiver.example.crt.der");
const KEY: &[u8] = include_bytes!("receiver.example.key.der");

fn acceptor() -> TlsAcceptor {
    let key = PrivateKeyDer::try_from(KEY.to_vec()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(CERTIFICATE)], key)
        .expect("a certificate");
    TlsAcceptor::from(Arc::new(config))
}

async fn encrypted() -> Server {
    let acceptor = acceptor();
    Server::start(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let _ = stream.read(&mut [0; 4_096]).await;
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").await;
            let _ = stream.shutdown().await;
        }
    })
    .await
}

fn client_that_trusts(roots: Vec<Vec<u8>>) -> Client {
    let settings = Settings { extra_roots: roots, ..settings() };
    Client::with_resolver(settings, Scripted::new(&[&["127.0.0.1"]])).expect("a client")
}

#[tokio::test]
async fn who_is_who_it_says_it_is_gets_its_message() {
    let server = encrypted().await;
    let client = client_that_trusts(vec![CERTIFICATE.to_vec()]);
    let url = format!("https://receiver.example:{}/", server.address.port());
    assert_eq!(answer(&client, &url).await.status, 204);
}

#[tokio::test]
async fn who_is_not_who_it_says_it_is_does_not() {
    let server = encrypted().await;
    let port = server.address.port();
    // Nobody vouches for it.
    let url = format!("https://receiver.example:{port}/");
    fails_as(FailureClass::Tls, &client_that_trusts(vec![]), &url).await;
    // Somebody vouches for somebody else.
    let url = format!("https://other.example:{port}/");
    fails_as(FailureClass::Tls, &client_that_trusts(vec![CERTIFICATE.to_vec()]), &url).await;
}

#[tokio::test]
async fn who_knows_no_encryption_or_hangs_up_during_the_handshake_fails_it() {
    let talks = Server::start(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let _ = stream.read(&mut [0; 4_096]).await;
    })
    .await;
    let hangs_up = Server::start(|mut stream| async move {
        let _ = stream.read(&mut [0; 4_096]).await;
    })
    .await;
    for server in [&talks, &hangs_up] {
        fails_as(FailureClass::Tls, &client(), &format!("https://{}/", server.address)).await;
    }
}

#[test]
fn a_certificate_that_is_none_makes_no_client() {
    let settings = Settings { extra_roots: vec![b"no certificate".to_vec()], ..settings() };
    assert!(Client::new(settings).is_err());
}
