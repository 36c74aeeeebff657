//! One client's connection: frames in, the service, frames out.
//!
//! What arrives is begun in its order: a notification is done before the next message is looked
//! at, and a request's handler runs up to its first wait, so that it sees the texts as they were
//! when it was sent. Every request is answered exactly once, also one that panics, is cancelled,
//! or is under way when the connection or the daemon ends.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::{FutureExt, SinkExt, StreamExt};
use mirrord_editor_protocol::error::code;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio_util::codec::FramedRead;
use tower::Service;
use tower_lsp::LspService;
use tower_lsp::jsonrpc::{Error, Id, Request, Response};

use super::failure::{Failure, with_data};
use super::framing::{Frame, Framing};
use super::outbox::Outbox;
use super::request::Context;
use super::service::{self, Backend};
use super::state::Daemon;

/// Requests of one client that may be under way.
const MOST_REQUESTS: usize = 256;

/// A client that has not said `initialize` by then is not one of ours.
const INITIALIZE_DEADLINE: Duration = Duration::from_secs(60);

/// What a client sent before it could know of the daemon's end is there within this time.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// How long handlers may take to undo what they began when the connection ends.
const UNDO_DEADLINE: Duration = Duration::from_secs(10);

/// How long the last answers may take to be read.
const FLUSH_DEADLINE: Duration = Duration::from_secs(2);

/// Serves one client until it or the daemon ends.
pub async fn serve<R, W>(reader: R, writer: W, daemon: Arc<Daemon>)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let (outbox, writing) = Outbox::new(writer);
    let writing = tokio::spawn(writing);
    let (service, socket) = service::build(Arc::clone(&daemon), outbox.clone());
    let client = service.inner().client();
    let (mut questions, mut answers) = socket.split();
    let questions_out = outbox.clone();
    let asking = tokio::spawn(async move {
        while let Some(question) = questions.next().await {
            questions_out.send(&question);
        }
    });
    let dead = outbox.dead();
    let stopping = daemon.stopping();
    let mut connection = Connection {
        service,
        outbox: outbox.clone(),
        running: JoinSet::new(),
        contexts: HashMap::new(),
        progress: HashMap::new(),
        initialized: false,
        stopping: false,
    };
    let mut frames = FramedRead::new(reader, Framing::default());
    let deadline = tokio::time::sleep(INITIALIZE_DEADLINE);
    tokio::pin!(deadline);
    loop {
        tokio::select! {
            frame = frames.next() => match frame {
                None => break,
                Some(Ok(frame)) => match connection.take(frame).await {
                    Next::Go => {}
                    Next::Answer(answer) => {
                        if answers.send(answer).await.is_err() {
                            break;
                        }
                    }
                    Next::End => break,
                },
                Some(Err(error)) => {
                    tracing::warn!("ended a connection: {error}");
                    let mut parse_error = Error::parse_error();
                    parse_error.message = error.to_string().into();
                    connection.answer(Response::from_error(Id::Null, with_data(parse_error)));
                    break;
                }
            },
            Some(done) = connection.running.join_next() => connection.done(done),
            () = dead.cancelled() => break,
            () = stopping.cancelled() => {
                connection.refuse_rest(&mut frames).await;
                break;
            }
            () = &mut deadline, if !connection.initialized => {
                tracing::warn!("ended a connection that never said initialize");
                break;
            }
        }
    }
    connection.end().await;
    client.closed();
    asking.abort();
    let _ = asking.await;
    outbox.finish();
    let mut writing = writing;
    if tokio::time::timeout(FLUSH_DEADLINE, &mut writing)
        .await
        .is_err()
    {
        writing.abort();
    }
}

/// What comes of a frame.
enum Next {
    /// The next one.
    Go,
    /// It answers a question of ours.
    Answer(Response),
    /// `exit`.
    End,
}

struct Connection {
    service: LspService<Backend>,
    outbox: Outbox,
    running: JoinSet<(Id, Option<Response>)>,
    contexts: HashMap<Id, Context>,
    /// Requests by their `workDoneToken`, which the user may cancel too.
    progress: HashMap<Id, String>,
    initialized: bool,
    /// The daemon ends: what is cancelled now was not cancelled by the client.
    stopping: bool,
}

impl Connection {
    async fn take(&mut self, frame: Frame) -> Next {
        let value = match frame {
            Frame::Json(value) => value,
            Frame::Spoilt(what) => {
                let mut error = Error::parse_error();
                error.message = format!("a message is not JSON: {what}").into();
                self.answer(Response::from_error(Id::Null, with_data(error)));
                return Next::Go;
            }
        };
        let id = value.get("id").and_then(|id| Id::deserialize(id).ok());
        if value.get("method").is_some() {
            return match serde_json::from_value::<Request>(with_params(value)) {
                Ok(request) => self.begin(request).await,
                Err(error) => self.refuse(id, &error.to_string()),
            };
        }
        match serde_json::from_value::<Response>(value) {
            Ok(answer) => Next::Answer(answer),
            Err(_) => self.refuse(id, "a message is neither request, notification nor answer"),
        }
    }

    fn refuse(&self, id: Option<Id>, why: &str) -> Next {
        let mut error = Error::invalid_request();
        error.message = why.to_owned().into();
        self.answer(Response::from_error(
            id.unwrap_or(Id::Null),
            with_data(error),
        ));
        Next::Go
    }

    async fn begin(&mut self, request: Request) -> Next {
        match request.method() {
            "exit" => return Next::End,
            "$/cancelRequest" => {
                let id = request.params().and_then(|params| params.get("id"));
                if let Some(id) = id.and_then(|id| Id::deserialize(id).ok()) {
                    self.cancel(&id).await;
                }
                return Next::Go;
            }
            "window/workDoneProgress/cancel" => {
                let token = request.params().and_then(|params| params.get("token"));
                if let Some(token) = token.map(Value::to_string) {
                    let ids = self.progress.iter().filter(|(_, known)| **known == token);
                    let ids: Vec<Id> = ids.map(|(id, _)| id.clone()).collect();
                    for id in ids {
                        self.cancel(&id).await;
                    }
                }
                return Next::Go;
            }
            _ => {}
        }
        let method = request.method().to_owned();
        let token = request
            .params()
            .and_then(|params| params.get("workDoneToken"))
            .map(Value::to_string);
        let Some(id) = request.id().cloned() else {
            if let Some(handler) = self.call(request).await
                && AssertUnwindSafe(handler).catch_unwind().await.is_err()
            {
                tracing::error!("the handler of {method} panicked");
            }
            return Next::Go;
        };
        if self.contexts.contains_key(&id) {
            return self.refuse(Some(id), "a request with this id is under way already");
        }
        if self.contexts.len() >= MOST_REQUESTS {
            let failure = Failure::invalid("too many requests are under way").retryable();
            self.answer(Response::from_error(id, failure.into()));
            return Next::Go;
        }
        let context = Context::default();
        let Some(handler) = self.call(request).await else {
            return Next::End;
        };
        let answered = id.clone();
        let mut handler = Box::pin(context.clone().scope(async move {
            match AssertUnwindSafe(handler).catch_unwind().await {
                Ok(response) => (answered, response),
                Err(_) => {
                    tracing::error!("the handler of {method} panicked");
                    let failure = Failure::new(
                        mirrord_editor_protocol::ErrorKind::Internal,
                        format!("{method} failed by a fault of mirrord-server's"),
                    )
                    .help("see `mirrord-server daemon status` for the log, and report it");
                    let response = Response::from_error(answered.clone(), failure.into());
                    (answered, Some(response))
                }
            }
        }));
        if !self.initialized {
            // Nothing else may begin before `initialize` is done.
            let (_, response) = handler.await;
            self.initialized = response.as_ref().is_some_and(Response::is_ok);
            self.answer_all(response);
            return Next::Go;
        }
        match futures::poll!(&mut handler) {
            Poll::Ready((_, response)) => self.answer_all(response),
            Poll::Pending => {
                self.contexts.insert(id.clone(), context);
                self.progress.extend(token.map(|token| (id, token)));
                self.running.spawn(handler);
            }
        }
        Next::Go
    }

    /// The service's future for a message; none when it has ended.
    async fn call(
        &mut self,
        request: Request,
    ) -> Option<impl Future<Output = Option<Response>> + Send + use<>> {
        if let Err(error) = futures::future::poll_fn(|cx| self.service.poll_ready(cx)).await {
            tracing::debug!("{error}");
            return None;
        }
        let handler = self.service.call(request);
        Some(async move { handler.await.unwrap_or_default() })
    }

    async fn cancel(&mut self, id: &Id) {
        let Some(context) = self.contexts.get(id) else {
            // It is answered already.
            return;
        };
        if context.cancel() {
            return;
        }
        let id = serde_json::to_value(id).unwrap_or_default();
        let message = Request::build("$/cancelRequest")
            .params(json!({ "id": id }))
            .finish();
        if let Some(cancelling) = self.call(message).await {
            cancelling.await;
        }
    }

    fn done(&mut self, done: Result<(Id, Option<Response>), tokio::task::JoinError>) {
        match done {
            Ok((id, response)) => {
                self.contexts.remove(&id);
                self.progress.remove(&id);
                self.answer_all(response);
            }
            Err(error) => tracing::error!("a request's task failed: {error}"),
        }
    }

    fn answer_all(&self, response: Option<Response>) {
        if let Some(response) = response {
            self.answer(response);
        }
    }

    fn answer(&self, response: Response) {
        let (id, mut result) = response.into_parts();
        if let Err(error) = &mut result
            && self.stopping
            && error.code.code() == code::CANCELLED
        {
            *error = Failure::shutting_down().into();
        }
        self.outbox
            .send(&Response::from_parts(id, result.map_err(with_data)));
    }

    /// The daemon ends: refuses what the client had sent before it could know.
    async fn refuse_rest<R: AsyncRead + Unpin>(&mut self, frames: &mut FramedRead<R, Framing>) {
        self.stopping = true;
        while let Ok(Some(Ok(frame))) = tokio::time::timeout(LAST_WORDS, frames.next()).await {
            let Frame::Json(message) = frame else {
                continue;
            };
            let id = message.get("id").and_then(|id| Id::deserialize(id).ok());
            if let (Some(id), Some(_)) = (id, message.get("method")) {
                self.answer(Response::from_error(id, Failure::shutting_down().into()));
            }
        }
    }

    /// Cancels what is under way, gives it time to undo, and answers what is left.
    async fn end(mut self) {
        let ids: Vec<Id> = self.contexts.keys().cloned().collect();
        for id in ids {
            if let Some(context) = self.contexts.get(&id)
                && !context.cancel()
            {
                self.cancel(&id).await;
            }
        }
        let undone = async {
            while let Some(done) = self.running.join_next().await {
                self.done(done);
            }
        };
        if tokio::time::timeout(UNDO_DEADLINE, undone).await.is_err() {
            tracing::warn!("gave up on {} requests", self.contexts.len());
        }
        for id in self.contexts.keys() {
            let error = Failure::shutting_down().into();
            self.outbox.send(&Response::from_error(id.clone(), error));
        }
    }
}

/// Some clients leave empty params out.
fn with_params(mut value: Value) -> Value {
    let ours = value
        .get("method")
        .and_then(Value::as_str)
        .is_some_and(|method| method.starts_with("mirrord/"));
    if ours && value.get("params").is_none_or(Value::is_null) {
        value["params"] = json!({});
    }
    value
}
