//! Why a request failed, in the one shape that every editor renders: a JSON-RPC error whose
//! `data` is [`ErrorData`].

use mirrord_editor_protocol::error::{ErrorData, ErrorKind, code};
use tower_lsp::jsonrpc;

/// A failed request.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure(pub Box<ErrorData>);

impl Failure {
    /// A failure of this kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Failure(Box::new(ErrorData {
            kind,
            message: message.into(),
            help: None,
            causes: Vec::new(),
            retryable: false,
            diagnostics_uri: None,
        }))
    }

    /// What to do next.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Trying again may succeed.
    pub fn retryable(mut self) -> Self {
        self.0.retryable = true;
        self
    }

    /// The request was cancelled, and what it began is undone.
    pub fn cancelled() -> Self {
        Failure::new(ErrorKind::Cancelled, "the request was cancelled")
    }

    /// The daemon ends.
    pub fn shutting_down() -> Self {
        Failure::new(
            ErrorKind::ShuttingDown,
            "the daemon ends before this request is done",
        )
        .retryable()
    }

    /// Params that cannot be understood.
    pub fn invalid(message: impl Into<String>) -> Self {
        Failure::new(ErrorKind::InvalidParams, message)
    }

    /// It needs a cluster.
    pub fn needs_cluster(what: &str) -> Self {
        Failure::new(
            ErrorKind::NeedsCluster,
            format!("{what} needs a Kubernetes cluster, which this version cannot reach yet"),
        )
        .help("use a local target: sandbox/NAME, process/PID or container/NAME")
    }

    /// An error with its chain of causes.
    pub fn from_error(kind: ErrorKind, error: &anyhow::Error) -> Self {
        let mut failure = Failure::new(kind, error.to_string());
        failure.0.causes = error.chain().skip(1).map(ToString::to_string).collect();
        failure
    }
}

/// What goes wrong without a kind of its own is a fault of ours or of the machine.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast::<Failure>() {
            Ok(failure) => failure,
            Err(error) => Failure::from_error(ErrorKind::Internal, &error),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Failure {}

impl From<Failure> for jsonrpc::Error {
    fn from(Failure(data): Failure) -> Self {
        let number = match data.kind {
            ErrorKind::Cancelled => code::CANCELLED,
            ErrorKind::ShuttingDown => code::SERVER_CANCELLED,
            ErrorKind::InvalidParams => code::INVALID_PARAMS,
            ErrorKind::Internal => code::INTERNAL,
            _ => code::FAILED,
        };
        jsonrpc::Error {
            code: number.into(),
            message: data.message.clone().into(),
            data: serde_json::to_value(&data).ok(),
        }
    }
}

/// Errors that the framework made have no data of ours yet.
pub fn with_data(mut error: jsonrpc::Error) -> jsonrpc::Error {
    let has_kind = error
        .data
        .as_ref()
        .is_some_and(|data| data.get("kind").is_some());
    if !has_kind {
        let kind = match error.code.code() {
            code::CANCELLED => ErrorKind::Cancelled,
            code::INTERNAL => ErrorKind::Internal,
            _ => ErrorKind::InvalidParams,
        };
        let failure = Failure::new(kind, error.message.clone());
        error.data = serde_json::to_value(&failure.0).ok();
    }
    error
}
