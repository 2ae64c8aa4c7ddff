//! Spans for whoever collects traces: from the request through the log and the broker to whoever follows.
//!
//! Nothing is made, and next to nothing is asked, unless somebody collects. What is collected travels with the events: their
//! metadata hold the span of the command that they come from, so that whoever follows, in whatever process, goes on there.

mod parent;
mod spans;

use std::{
    borrow::Cow,
    pin::pin,
    sync::OnceLock,
    time::{Duration, UNIX_EPOCH},
};

use opentelemetry::{
    Context, KeyValue, SpanId, TraceFlags, TraceId,
    global::{BoxedSpan, BoxedTracer},
    trace::{
        Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt as _, TraceState, Tracer as _,
    },
};

pub use self::parent::{NoTraceparent, Traceparent};
pub(crate) use self::spans::{applied, asked, published, reacting};

static TRACER: OnceLock<BoxedTracer> = OnceLock::new();

tokio::task_local! {
    /// Within which span the task is.
    static HERE: Traceparent;
}

/// From now on this process makes spans; whoever says so a second time is not heard.
pub fn collect(tracer: BoxedTracer) {
    // The first one goes on.
    let _ = TRACER.set(tracer);
}

/// Whether anybody collects spans of this process.
#[must_use]
pub fn is_collected() -> bool {
    TRACER.get().is_some()
}

/// Within which span the task is, if anybody collects it.
#[must_use]
pub fn here() -> Option<Traceparent> {
    TRACER.get()?;
    HERE.try_with(|here| *here).ok()
}

/// The same future within a span.
pub async fn within<T>(span: Option<Traceparent>, future: impl Future<Output = T>) -> T {
    // Where it stays: either branch would have room for it, and move it there.
    let future = pin!(future);
    match span {
        Some(span) => HERE.scope(span, future).await,
        None => future.await,
    }
}

/// What a span is to the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A request from outside is answered.
    Server,
    /// Something is handed to others.
    Producer,
    /// Something is taken from others.
    Consumer,
    /// A part of the work.
    Internal,
}

/// A piece of work; it ends when it is dropped.
#[derive(Debug)]
pub struct Span(BoxedSpan);

impl Span {
    /// The first span of a trace, or of this process's part in one; `None` when nobody collects.
    #[must_use]
    pub fn begin(
        name: impl Into<Cow<'static, str>>,
        kind: Kind,
        parent: Option<Traceparent>,
    ) -> Option<Self> {
        Self::since(None, name, kind, parent)
    }

    /// The same of work that began then, in microseconds since the epoch.
    fn since(
        began_us: Option<i64>,
        name: impl Into<Cow<'static, str>>,
        kind: Kind,
        parent: Option<Traceparent>,
    ) -> Option<Self> {
        let tracer = TRACER.get()?;
        let context = parent.map_or_else(Context::new, |parent| {
            let flags = if parent.sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
            let (trace, span) = (TraceId::from(parent.trace_id), SpanId::from(parent.span_id));
            Context::new().with_remote_span_context(SpanContext::new(
                trace,
                span,
                flags,
                true,
                TraceState::NONE,
            ))
        });
        let began_us = began_us.and_then(|began_us| u64::try_from(began_us).ok());
        let start_time = began_us.map(|began_us| UNIX_EPOCH + Duration::from_micros(began_us));
        let builder = SpanBuilder { start_time, ..SpanBuilder::from_name(name) };
        let kind = match kind {
            Kind::Server => SpanKind::Server,
            Kind::Producer => SpanKind::Producer,
            Kind::Consumer => SpanKind::Consumer,
            Kind::Internal => SpanKind::Internal,
        };
        Some(Self(tracer.build_with_context(builder.with_kind(kind), &context)))
    }

    /// As what follows from it knows it; it says whether it is collected.
    #[must_use]
    pub fn traceparent(&self) -> Option<Traceparent> {
        let context = self.0.span_context();
        context.is_valid().then(|| Traceparent {
            trace_id: u128::from_be_bytes(context.trace_id().to_bytes()),
            span_id: u64::from_be_bytes(context.span_id().to_bytes()),
            sampled: context.is_sampled(),
        })
    }

    /// Says something of it, where it is collected.
    pub fn say(&mut self, name: &'static str, value: impl Into<opentelemetry::Value>) {
        self.0.set_attribute(KeyValue::new(name, value.into()));
    }

    /// Calls it something else.
    pub fn call(&mut self, name: String) {
        self.0.update_name(name);
    }

    /// It did not come to what it was for.
    pub fn failed(&mut self, why: impl Into<Cow<'static, str>>) {
        self.0.set_status(Status::Error { description: why.into() });
    }

    /// Whether what is said of it is kept.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.0.is_recording()
    }
}
