//! `sandbox-web`: the pod's own program, the target. An HTTP service on port 8080 of every address
//! that tells who answered and whom it saw:
//!
//! * `/health` says `ok`; `/slow?ms=N` waits first; `/echo` gives the body back; `/bytes?n=N` gives
//!   N bytes;
//! * everything else tells pod, method, path, peer and so on as lines, or as JSON to those who
//!   accept that.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::thread;
use std::time::Duration;

use anyhow::Result;

use super::{Role, sockets};
use crate::addresses::WEB_PORT;
use crate::http::{Request, Response, serve};
use crate::pod::data::pattern;
use crate::report::{self, Ready};

/// Longest wait and longest answer that a client may ask for.
const LONGEST_WAIT: u64 = 60_000;
const LONGEST_ANSWER: u64 = 64 * 1024 * 1024;

pub(super) fn run() -> Result<i32> {
    let pod = std::env::var("POD_NAME").unwrap_or_else(|_| "pod".to_owned());
    for listener in sockets::listen_on(
        [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
        WEB_PORT,
    )? {
        let pod_here = pod.clone();
        serve(listener, &pod, move |request| answer(&pod_here, request))?;
    }
    report::ready(Ready::of(Role::Web))?;
    loop {
        thread::park();
    }
}

/// What this service and the one that only the pod reaches say.
pub(super) fn answer(who: &str, request: &Request) -> Response {
    match request.path() {
        "/health" | "/healthz" => Response::text("ok\n"),
        "/slow" => {
            let wait = request.number("ms").unwrap_or(1000).min(LONGEST_WAIT);
            thread::sleep(Duration::from_millis(wait));
            Response::text(format!("waited {wait} ms\n"))
        }
        "/echo" => Response {
            content_type: "application/octet-stream",
            ..Response::text(request.body.clone())
        },
        "/bytes" => {
            let size = request.number("n").unwrap_or(1024).min(LONGEST_ANSWER);
            Response {
                content_type: "application/octet-stream",
                ..Response::text(pattern(size as usize))
            }
        }
        _ => tell(who, request),
    }
}

fn tell(who: &str, request: &Request) -> Response {
    let (peer, local) = (request.peer.to_string(), request.local.to_string());
    let length = request.body.len();
    if request
        .header("accept")
        .is_some_and(|value| value.contains("json"))
    {
        let told = serde_json::json!({
            "pod": who,
            "method": request.method,
            "path": request.target,
            "peer": peer,
            "local": local,
            "bodyLength": length,
            "headers": request.headers,
        });
        return Response {
            content_type: "application/json",
            ..Response::text(format!("{told}\n"))
        };
    }
    Response::text(format!(
        "pod: {who}\nmethod: {}\npath: {}\npeer: {peer}\nlocal: {local}\nbody: {length} bytes\n",
        request.method, request.target
    ))
}
