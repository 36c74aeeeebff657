//! Which answers of an API server are asked for again, and when. One table: what is not in it is
//! told at once, for a person waits.

use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use kube::client::Body;
use tokio::time::Sleep;
use tower::BoxError;
use tower::retry::Policy;

/// How often one request is asked in all.
const TIMES: u32 = 6;

/// The first pause; each further one is twice as long, up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(100);

/// The longest pause of our own.
const LONGEST: Duration = Duration::from_secs(2);

/// A server that asks for a longer pause (`Retry-After`) is not waited for.
const LONGEST_ASKED: Duration = Duration::from_secs(10);

/// The state of one request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Retry {
    done: u32,
}

impl Retry {
    /// How long to wait before asking again; none: this answer stands.
    fn pause(&self, method: &Method, status: StatusCode, asked: Option<&str>) -> Option<Duration> {
        let again = match status {
            // Nothing was done: the server, or its priority and fairness, turned it away.
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => true,
            // Something may have been done.
            StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::BAD_GATEWAY
            | StatusCode::GATEWAY_TIMEOUT => matches!(*method, Method::GET | Method::HEAD),
            _ => false,
        };
        if !again || self.done + 1 >= TIMES {
            return None;
        }
        let own = LONGEST.min(FIRST * 2u32.pow(self.done));
        let asked = asked.and_then(|text| text.parse().ok());
        match asked.map(Duration::from_secs) {
            Some(asked) if asked > LONGEST_ASKED => None,
            Some(asked) => Some(own.max(asked)),
            None => Some(own),
        }
    }
}

impl<B> Policy<Request<Body>, Response<B>, BoxError> for Retry {
    type Future = Sleep;

    fn retry(
        &mut self,
        request: &mut Request<Body>,
        result: &mut Result<Response<B>, BoxError>,
    ) -> Option<Sleep> {
        let response = result.as_ref().ok()?;
        let asked = response.headers().get(http::header::RETRY_AFTER);
        let asked = asked.and_then(|value| value.to_str().ok());
        let pause = self.pause(request.method(), response.status(), asked)?;
        tracing::info!(
            "the cluster answered {}; asking again in {} ms",
            response.status(),
            pause.as_millis()
        );
        self.done += 1;
        Some(tokio::time::sleep(pause))
    }

    fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
        let mut copy = Request::new(request.body().try_clone()?);
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() = request.uri().clone();
        *copy.version_mut() = request.version();
        *copy.headers_mut() = request.headers().clone();
        *copy.extensions_mut() = request.extensions().clone();
        Some(copy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(done: u32, method: &Method, status: u16, asked: Option<&str>) -> Option<u128> {
        let status = StatusCode::from_u16(status).unwrap();
        let pause = Retry { done }.pause(method, status, asked);
        pause.map(|pause| pause.as_millis())
    }

    #[test]
    fn what_is_asked_again_is_one_table() {
        let (get, post) = (&Method::GET, &Method::POST);
        for status in [429, 503] {
            assert_eq!(pause(0, get, status, None), Some(100));
            assert_eq!(pause(0, post, status, None), Some(100));
        }
        for status in [500, 502, 504] {
            assert_eq!(pause(0, get, status, None), Some(100));
            assert_eq!(pause(0, post, status, None), None);
        }
        for status in [200, 400, 401, 403, 404, 409, 410, 422, 501] {
            assert_eq!(pause(0, get, status, None), None);
        }
    }

    #[test]
    fn pauses_grow_and_end_and_the_server_may_ask_for_longer_ones() {
        let get = &Method::GET;
        let own: Vec<_> = (0..6).map(|done| pause(done, get, 429, None)).collect();
        let expected = [100, 200, 400, 800, 1600].map(Some);
        assert_eq!(own[..5], expected);
        assert_eq!(own[5], None);
        assert_eq!(pause(0, get, 429, Some("3")), Some(3000));
        assert_eq!(pause(4, get, 429, Some("0")), Some(1600));
        assert_eq!(pause(0, get, 429, Some("3600")), None);
        assert_eq!(pause(0, get, 429, Some("Fri, 31 Dec 1999")), Some(100));
    }
}
