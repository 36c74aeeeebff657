//! The hello: one HTTP upgrade in which both sides prove their key, or nothing.
//!
//! The session's hello and proof ride in the request's headers, the agent's in the answer's, so a
//! link costs one round trip after its connection. Whatever does not fit ends the attempt with an
//! error that says who, what and the next step; nothing else has been sent by then.

use std::{future::Future, io, time::Duration};

use mirrord_protocol::{
    VERSION, codec,
    hello::{AgentHello, LOOK_AHEAD, Purpose, SessionHello},
};
use tokio::net::{TcpStream, UnixStream};
use tokio_tungstenite::{
    accept_hdr_async_with_config, client_async_with_config,
    tungstenite::{
        self,
        client::IntoClientRequest,
        handshake::server::{Callback, ErrorResponse, Request, Response},
        http::{HeaderMap, HeaderValue, StatusCode},
    },
};

use crate::{
    AgentIdentity, Endpoint, HeldState, LinkError, SessionIdentity, Socket, Transport, held, hex,
    identity::{HELLO_LIMIT, random_key},
    socket::websocket_config,
};

const HELLO_HEADER: &str = "x-mirrord-hello";
const PROOF_HEADER: &str = "x-mirrord-proof";

/// Connects to an agent and proves both sides to each other.
pub async fn dial(
    endpoint: &Endpoint,
    identity: &SessionIdentity,
    purpose: Purpose,
) -> Result<(AgentHello, Socket), LinkError> {
    let connected = within("connecting to the agent", HELLO_LIMIT, connect(endpoint)).await?;
    let io = connected.map_err(|source| match endpoint {
        Endpoint::Held(folder) => held::unreachable(folder, source),
        _ => LinkError::Connect {
            endpoint: endpoint.clone(),
            source,
        },
    })?;
    let identity = &match endpoint {
        // Asked after the connection stands, which leads to that agent or to none.
        Endpoint::Held(folder) => SessionIdentity {
            agent: held::agent(folder)?,
            ..identity.clone()
        },
        _ => identity.clone(),
    };
    let hello = SessionHello {
        versions: VERSION,
        features: features(),
        session: identity.session.clone(),
        purpose,
        nonce: random_key()?,
    };
    within(
        "the agent's hello",
        HELLO_LIMIT,
        dial_with(io, endpoint, identity, &hello),
    )
    .await?
}

/// Answers a caller's hello, on a connection that the agent's listener accepted.
pub async fn accept(
    io: impl Into<Transport>,
    identity: &AgentIdentity,
) -> Result<(SessionHello, Socket), LinkError> {
    let io = io.into();
    io.prepare().map_err(local)?;
    within(
        "the session's hello",
        identity.hello_limit,
        accept_with(io, identity),
    )
    .await?
}

async fn connect(endpoint: &Endpoint) -> io::Result<Transport> {
    let io = match endpoint {
        Endpoint::Unix(path) => UnixStream::connect(path).await?.into(),
        Endpoint::Held(folder) => UnixStream::connect(HeldState::socket(folder)).await?.into(),
        Endpoint::Tcp(address) => Transport::Tcp(TcpStream::connect(address).await?),
    };
    io.prepare()?;
    Ok(io)
}

async fn dial_with(
    io: Transport,
    endpoint: &Endpoint,
    identity: &SessionIdentity,
    hello: &SessionHello,
) -> Result<(AgentHello, Socket), LinkError> {
    let bytes = codec::encode(hello)?;
    // The name only fills the Host header; nothing resolves it.
    let mut request = "ws://mirrord-agent/link".into_client_request()?;
    insert_hello(
        request.headers_mut(),
        &bytes,
        &identity.prove(&bytes).to_bytes(),
    );
    let config = Some(websocket_config(hello.purpose));
    let (websocket, response) = match client_async_with_config(request, io, config).await {
        Ok(upgraded) => upgraded,
        Err(tungstenite::Error::Http(answer)) => return Err(refusal(*answer)),
        Err(tungstenite::Error::Io(source)) => {
            return Err(LinkError::Connect {
                endpoint: endpoint.clone(),
                source,
            });
        }
        Err(error) => {
            return Err(LinkError::BadHello {
                what: error.to_string(),
            });
        }
    };
    let wrong = || LinkError::WrongAgent {
        endpoint: endpoint.clone(),
        expected: identity.agent,
    };
    let (answer, proof) = read_hello(response.headers()).ok_or_else(wrong)?;
    if !identity.verify_agent(&bytes, &answer, &proof) {
        return Err(wrong());
    }
    let answer: AgentHello = codec::decode(&answer)?;
    if answer.version < hello.versions.min || answer.version > hello.versions.max {
        let what = format!("the agent chose protocol version {}", answer.version);
        return Err(LinkError::BadHello { what });
    }
    Ok((answer, Socket::new(websocket)))
}

async fn accept_with(
    io: Transport,
    identity: &AgentIdentity,
) -> Result<(SessionHello, Socket), LinkError> {
    // The callback answers inside the upgrade; what it decided comes out through `outcome`.
    let mut outcome = None;
    let callback = Judge {
        identity,
        outcome: &mut outcome,
    };
    // The purpose is not known before the request is read: the widest configuration, narrowed
    // afterwards.
    let config = Some(websocket_config(Purpose::Streams));
    let upgraded = accept_hdr_async_with_config(io, callback, config).await;
    match (outcome, upgraded) {
        (Some(Err(error)), _) => Err(error),
        (Some(Ok(hello)), Ok(websocket)) => Ok((hello, Socket::new(websocket))),
        (_, Err(error)) => Err(LinkError::BadHello {
            what: error.to_string(),
        }),
        (None, Ok(_)) => Err(LinkError::BadHello {
            what: "no hello was judged".to_owned(),
        }),
    }
}

struct Judge<'a> {
    identity: &'a AgentIdentity,
    outcome: &'a mut Option<Result<SessionHello, LinkError>>,
}

impl Callback for Judge<'_> {
    fn on_request(
        self,
        request: &Request,
        mut response: Response,
    ) -> Result<Response, ErrorResponse> {
        match judge(self.identity, request.headers()) {
            Ok((hello, answer, proof)) => {
                insert_hello(response.headers_mut(), &answer, &proof);
                *self.outcome = Some(Ok(hello));
                Ok(response)
            }
            Err(error) => {
                let mut refusal = ErrorResponse::new(Some(error.to_string()));
                *refusal.status_mut() = StatusCode::FORBIDDEN;
                *self.outcome = Some(Err(error));
                Err(refusal)
            }
        }
    }
}

type Judged = (SessionHello, Vec<u8>, [u8; 64]);

fn judge(identity: &AgentIdentity, headers: &HeaderMap) -> Result<Judged, LinkError> {
    let (bytes, proof) = read_hello(headers).ok_or_else(|| LinkError::BadHello {
        what: "its headers are missing".to_owned(),
    })?;
    // The proof first: nothing is decoded, remembered or told for a stranger.
    if !identity.verify_session(&bytes, &proof) {
        return Err(LinkError::WrongSession);
    }
    let hello: SessionHello = codec::decode(&bytes)?;
    identity.use_nonce(hello.nonce)?;
    let agent = identity.versions();
    let version = hello.versions.common(agent).ok_or(LinkError::Version {
        session: hello.versions,
        agent,
    })?;
    let answer = AgentHello {
        version,
        features: features(),
        agent_version: identity.agent_version.clone(),
        grace_ms: identity.grace.as_millis().try_into().unwrap_or(u64::MAX),
    };
    let answer = codec::encode(&answer)?;
    let proof = identity.prove(&bytes, &answer).to_bytes();
    Ok((hello, answer, proof))
}

/// What this build can do beside what its version says.
fn features() -> Vec<String> {
    vec![LOOK_AHEAD.to_owned()]
}

fn insert_hello(headers: &mut HeaderMap, hello: &[u8], proof: &[u8]) {
    for (name, bytes) in [(HELLO_HEADER, hello), (PROOF_HEADER, proof)] {
        // Hexadecimal digits are always a valid header value.
        if let Ok(value) = HeaderValue::from_str(&hex::encode(bytes)) {
            headers.insert(name, value);
        }
    }
}

fn read_hello(headers: &HeaderMap) -> Option<(Vec<u8>, Vec<u8>)> {
    let read = |name| hex::decode(headers.get(name)?.to_str().ok()?);
    Some((read(HELLO_HEADER)?, read(PROOF_HEADER)?))
}

fn refusal(answer: tungstenite::http::Response<Option<Vec<u8>>>) -> LinkError {
    let status = answer.status();
    let text = answer.into_body().unwrap_or_default();
    // Shown to the user: whatever it was, it stays short and on one line.
    let text: String = String::from_utf8_lossy(&text)
        .chars()
        .filter(|c| !c.is_control())
        .take(300)
        .collect();
    let reason = if text.is_empty() {
        format!("HTTP status {status}")
    } else {
        text
    };
    LinkError::Refused { reason }
}

async fn within<F: Future>(
    what: &'static str,
    after: Duration,
    work: F,
) -> Result<F::Output, LinkError> {
    tokio::time::timeout(after, work)
        .await
        .map_err(|_| LinkError::Timeout { what, after })
}

fn local(source: io::Error) -> LinkError {
    LinkError::Local {
        what: "set the options of a link's socket",
        source,
    }
}
