//! Sends spans to whoever collects them, by OTLP over HTTP: in the background, and never so that a request waits.

use std::{collections::HashMap, time::Duration};

use opentelemetry::{global::BoxedTracer, trace::TracerProvider as _};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{ExporterBuildError, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use store::trace;
use tokio::runtime::Handle;

use crate::settings::Tracing;

/// How long the collector may take for one batch.
const SENT_WITHIN: Duration = Duration::from_secs(10);
/// How long what is left may take when the process ends.
const ENDED_WITHIN: Duration = Duration::from_secs(3);

/// Spans on their way; what is left is sent when it ends.
pub struct Telemetry(SdkTracerProvider);

/// Nothing can be sent there.
#[derive(Debug, thiserror::Error)]
#[error("sending traces: {0}")]
pub struct TelemetryError(String);

impl From<ExporterBuildError> for TelemetryError {
    fn from(error: ExporterBuildError) -> Self {
        Self(error.to_string())
    }
}

impl From<reqwest::Error> for TelemetryError {
    fn from(error: reqwest::Error) -> Self {
        Self(error.to_string())
    }
}

impl Telemetry {
    /// Begins to collect spans. What does not fit into the queue while the collector is away is dropped.
    ///
    /// # Errors
    /// When the address or a header cannot be used.
    pub fn start(settings: &Tracing) -> Result<Self, TelemetryError> {
        let http = reqwest::Client::builder().timeout(SENT_WITHIN).build()?;
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_http_client(Sender { http, runtime: Handle::current() })
            .with_endpoint(&settings.endpoint)
            .with_headers(settings.headers.iter().cloned().collect::<HashMap<_, _>>())
            .build()?;
        let resource = Resource::builder().with_service_name(settings.service.clone()).build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(settings.sampler.clone())
            .with_resource(resource)
            .build();
        trace::collect(BoxedTracer::new(Box::new(provider.tracer("daybook"))));
        Ok(Self(provider))
    }

    /// Sends what is left, for a moment.
    pub async fn end(self) {
        let ended = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(ENDED_WITHIN)).await;
        if let Ok(Err(error)) = ended {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

/// The client that the tree has anyway, for a thread that has no runtime of its own.
#[derive(Debug)]
struct Sender {
    http: reqwest::Client,
    runtime: Handle,
}

#[async_trait::async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (http, request) = (self.http.clone(), request.try_into()?);
        let answered = self.runtime.spawn(async move {
            let answer = http.execute(request).await?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            let mut response = Response::new(answer.bytes().await?);
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            Ok::<_, reqwest::Error>(response)
        });
        Ok(answered.await??)
    }
}
