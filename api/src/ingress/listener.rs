//! Takes connections and lets them end in order: HTTP/1.1, with TLS or without.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use axum::body::Body;
use futures::{FutureExt as _, future::BoxFuture};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
};

use super::{front::Front, peer::Peer, tls::Tls};

/// Connections at once; further ones wait to be taken.
const CONNECTIONS_MAX: usize = 10_000;
/// How long the head of a request may take, from the end of the last answer: an idle connection ends after it, too.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// How long it may take to agree on keys.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// Headers of a request, and bytes of them.
const HEADERS_MAX: usize = 100;
const HEAD_BYTES_MAX: usize = 64 << 10;
/// How long to wait when no connection can be taken, as when the process has too many files open.
const BREATH: Duration = Duration::from_millis(100);

/// Serves until it is told to stop; then takes no more connections and lets what is under way end.
///
/// In a box, and so compiled here: a future that is polled in another crate is compiled there, with all that it calls.
pub fn serve(
    listener: TcpListener,
    front: Front,
    tls: Option<Tls>,
    stop: watch::Receiver<bool>,
) -> BoxFuture<'static, ()> {
    serve_here(listener, front, tls, stop).boxed()
}

async fn serve_here(listener: TcpListener, front: Front, tls: Option<Tls>, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    let door = Door { front, tls };
    loop {
        let taken = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            taken = taken => taken,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        match accepted {
            Ok((stream, address)) => {
                let (door, watcher) = (door.clone(), graceful.watcher());
                tokio::spawn(async move {
                    door.take(stream, Peer(address), watcher).await;
                    drop(place);
                });
            }
            // A client that went away again is no trouble of ours.
            Err(error) if is_the_clients(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be taken");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
    drop(listener);
    graceful.shutdown().await;
}

fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

#[derive(Clone)]
struct Door {
    front: Front,
    tls: Option<Tls>,
}

impl Door {
    async fn take(self, stream: TcpStream, peer: Peer, watcher: Watcher) {
        // An answer in several parts would wait for the client's acknowledgement of the first (40 ms on Linux).
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its answers back");
        }
        let Some(tls) = &self.tls else { return self.answer(stream, peer, watcher).await };
        match tokio::time::timeout(HANDSHAKE_WITHIN, tls.acceptor().accept(stream)).await {
            Ok(Ok(stream)) => self.answer(stream, peer, watcher).await,
            Ok(Err(error)) => tracing::debug!(%error, "a client and this end agreed on no keys"),
            Err(_) => tracing::debug!("a client was too slow to agree on keys"),
        }
    }

    async fn answer<S>(&self, stream: S, peer: Peer, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(peer);
            self.front.answer(request).map(Ok::<_, Infallible>)
        });
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_WITHIN)
            .max_headers(HEADERS_MAX)
            .max_buf_size(HEAD_BYTES_MAX);
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, "a connection broke off");
        }
    }
}
