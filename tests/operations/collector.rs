//! A collector of traces: OTLP over HTTP, as protobuf.

use std::sync::{Arc, Mutex};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    trace::v1::{Span, status::StatusCode},
};
use prost::Message as _;
use tokio::net::TcpListener;

/// What it was sent.
#[derive(Clone, Default)]
pub struct Collector {
    spans: Arc<Mutex<Vec<Collected>>>,
    /// The header `authorization` of the last request.
    authorization: Arc<Mutex<Option<String>>>,
}

/// A span as far as tests look at it.
#[derive(Clone, Debug)]
pub struct Collected {
    pub service: String,
    pub name: String,
    pub trace_id: String,
    pub span_id: String,
    pub parent: String,
    pub failed: bool,
    pub attributes: Vec<(String, String)>,
}

impl Collector {
    /// Listens; beside it, where.
    pub async fn listen() -> (Self, String) {
        let collector = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new().route("/v1/traces", post(take)).with_state(collector.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        (collector, url)
    }

    /// Everything so far.
    pub fn spans(&self) -> Vec<Collected> {
        self.spans.lock().unwrap().clone()
    }

    pub fn authorization(&self) -> Option<String> {
        self.authorization.lock().unwrap().clone()
    }
}

impl Collected {
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn of(service: &str, span: Span) -> Self {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let attributes = span.attributes.into_iter().map(|of| (of.key, format!("{:?}", of.value)));
        Self {
            service: service.to_owned(),
            name: span.name,
            trace_id: hex(&span.trace_id),
            span_id: hex(&span.span_id),
            parent: hex(&span.parent_span_id),
            failed: span.status.is_some_and(|status| status.code() == StatusCode::Error),
            attributes: attributes.collect(),
        }
    }
}

async fn take(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    let authorization = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    *collector.authorization.lock().unwrap() = authorization;
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    for resource in request.resource_spans {
        let about = resource.resource.unwrap_or_default().attributes;
        let service = about.iter().find(|of| of.key == "service.name").map(|of| format!("{:?}", of.value));
        let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
        let spans = spans.map(|span| Collected::of(service.as_deref().unwrap_or_default(), span));
        collector.spans.lock().unwrap().extend(spans);
    }
}
