//! The library's client, and what it says of the connection.

use super::{ConnectError, Link};
use crate::NatsOptions;
use async_nats::{Client, ConnectOptions, Event};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) async fn connect(
    options: &NatsOptions,
    link: watch::Sender<Link>,
    closed: CancellationToken,
) -> Result<Client, ConnectError> {
    let mut connect = ConnectOptions::new()
        .name(&options.name)
        .retry_on_initial_connect()
        .max_reconnects(None)
        .ping_interval(Duration::from_secs(10))
        .request_timeout(Some(options.request_timeout))
        .reconnect_delay_callback(|failures| Duration::from_millis((50 << failures.min(6)).min(2_000)))
        .require_tls(options.tls.required)
        .event_callback(move |event| {
            follow(&event, &link, &closed);
            std::future::ready(())
        });
    if let Some(file) = &options.credentials {
        connect = connect.credentials_file(file).await.map_err(ConnectError::Credentials)?;
    }
    if let Some(file) = &options.tls.root_certificates {
        connect = connect.add_root_certificates(file.clone());
    }
    if let Some((certificate, key)) = &options.tls.client_certificate {
        connect = connect.add_client_certificate(certificate.clone(), key.clone());
    }
    Ok(connect.connect(options.urls.clone()).await?)
}

fn follow(event: &Event, link: &watch::Sender<Link>, closed: &CancellationToken) {
    match event {
        Event::Connected => link.send_modify(|link| {
            link.up = true;
            link.epoch += 1;
        }),
        Event::Disconnected => link.send_modify(|link| link.up = false),
        Event::Closed => {
            link.send_modify(|link| link.up = false);
            closed.cancel();
        }
        Event::SlowConsumer(_) | Event::LameDuckMode | Event::Draining => {}
        Event::ServerError(_) | Event::ClientError(_) => {}
    }
    match event {
        Event::Connected | Event::Draining | Event::Closed => tracing::info!(%event, "NATS"),
        _ => tracing::warn!(%event, "NATS"),
    }
}
