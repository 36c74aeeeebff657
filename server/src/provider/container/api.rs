//! The two questions that we ask, in Docker's API, which Podman serves as well.

use std::path::Path;

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

/// A container, running or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// The whole id.
    pub id: String,
    /// Its first name, without the slash.
    pub name: String,
    /// The image as it was asked for.
    pub image: String,
    /// `running`, `exited`, `paused`, …
    pub state: String,
    /// Ports inside, as the engine knows them.
    pub ports: Vec<u16>,
    /// Its main process, when it runs and was asked for.
    pub pid: Option<i32>,
}

/// A list of ten thousand containers is smaller.
const LONGEST_ANSWER: usize = 64 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    id: String,
    #[serde(default)]
    names: Option<Vec<String>>,
    #[serde(default)]
    image: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    ports: Option<Vec<Port>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Port {
    #[serde(default)]
    private_port: u16,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    state: State,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    #[serde(default)]
    pid: i32,
}

/// All containers of an engine.
pub async fn list(socket: &Path) -> Result<Vec<Container>> {
    let rows: Vec<Row> = get(socket, "/containers/json?all=true").await?;
    Ok(rows.into_iter().map(container).collect())
}

/// The process id of a container's main process, 0 when it does not run.
pub async fn main_process(socket: &Path, id: &str) -> Result<i32> {
    let inspected: Inspected = get(socket, &format!("/containers/{id}/json")).await?;
    Ok(inspected.state.pid)
}

fn container(row: Row) -> Container {
    let names = row.names.unwrap_or_default();
    let name = names
        .first()
        .map_or(row.id.as_str(), |name| name.trim_start_matches('/'));
    let mut ports: Vec<u16> = row
        .ports
        .unwrap_or_default()
        .iter()
        .map(|port| port.private_port)
        .collect();
    ports.sort_unstable();
    ports.dedup();
    Container {
        name: name.to_owned(),
        id: row.id,
        image: row.image,
        state: row.state,
        ports,
        pid: None,
    }
}

async fn get<T: DeserializeOwned>(socket: &Path, path: &str) -> Result<T> {
    let stream = UnixStream::connect(socket)
        .await
        .map_err(|error| why_not(error, socket))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .context("it does not speak HTTP")?;
    let request = Request::get(path)
        .header("host", "localhost")
        .body(Empty::<Bytes>::new())?;
    // The connection works only while it is polled; it ends with the answer.
    let exchange = async {
        let response = sender.send_request(request).await.context("no answer")?;
        let status = response.status();
        let body = Limited::new(response.into_body(), LONGEST_ANSWER)
            .collect()
            .await;
        let body = body
            .map_err(|error| anyhow::anyhow!(error))
            .context("the answer broke off")?;
        anyhow::Ok((status, body.to_bytes()))
    };
    tokio::pin!(exchange);
    let (status, body) = tokio::select! {
        biased;
        answer = &mut exchange => answer?,
        ended = connection => match ended {
            // All of it may have been read already.
            Ok(()) => exchange.await?,
            Err(error) => return Err(error).context("the connection broke"),
        },
    };
    if status != StatusCode::OK {
        bail!(
            "GET {path}: {status}: {}",
            String::from_utf8_lossy(&body).trim()
        );
    }
    serde_json::from_slice(&body)
        .with_context(|| format!("GET {path}: not the answer of an engine"))
}

/// Why a socket could not be used, and what to do.
fn why_not(error: std::io::Error, socket: &Path) -> anyhow::Error {
    let help = match error.kind() {
        std::io::ErrorKind::PermissionDenied => {
            "you may not use it: join the group that owns it (for Docker: `docker`), or use \
             rootless Podman"
        }
        std::io::ErrorKind::NotFound => "there is no such socket; is the engine installed?",
        std::io::ErrorKind::ConnectionRefused => {
            "nobody listens there any more; start the engine again"
        }
        _ => "the socket could not be used",
    };
    tracing::debug!("{}: {error}", socket.display());
    anyhow::Error::new(error).context(help)
}
