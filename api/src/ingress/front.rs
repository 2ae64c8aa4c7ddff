//! What answers requests, whatever stands behind it.

use std::{convert::Infallible, fmt, sync::Arc};

use axum::{
    Router,
    extract::Request,
    response::{IntoResponse, Response},
};
use futures::{FutureExt as _, future::BoxFuture};
use tower::Service;

/// Answers requests; cheap to clone.
#[derive(Clone)]
pub struct Front(Arc<dyn Fn(Request) -> BoxFuture<'static, Response> + Send + Sync>);

impl Front {
    /// One that hands each request to a copy of that service, which is always ready.
    pub(super) fn of<S>(service: S) -> Self
    where
        S: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        S::Response: IntoResponse,
        S::Future: Send,
    {
        Self(Arc::new(move |request| {
            let answer = service.clone().call(request);
            answer.map(|Ok(response)| response.into_response()).boxed()
        }))
    }

    /// The answer to a request.
    pub fn answer(&self, request: Request) -> BoxFuture<'static, Response> {
        (self.0)(request)
    }
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front").finish_non_exhaustive()
    }
}

/// Routes alone: nothing stands before them.
impl From<Router> for Front {
    fn from(routes: Router) -> Self {
        Self::of(routes)
    }
}
