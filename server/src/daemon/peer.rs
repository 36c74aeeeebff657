//! The way to one client. Notifications go straight into its outbox, so that they keep their
//! order with answers; questions go through the service, which matches their answers.

use std::marker::PhantomData;

use mirrord_editor_protocol as editor;
use mirrord_editor_protocol::notify::{Level, NotifyParams};
use serde::Serialize;
use tower_lsp::Client;
use tower_lsp::jsonrpc::{self, Request};
use tower_lsp::ls_types::{self, MessageType, ShowMessageParams};

use super::outbox::Outbox;

/// One client.
#[derive(Clone)]
pub struct Peer {
    client: Client,
    outbox: Outbox,
    /// It shows `mirrord/notify` itself.
    pub shows_notifications: bool,
    /// It has a view of sessions.
    pub shows_sessions: bool,
}

impl Peer {
    /// A client that was not heard yet.
    pub fn new(client: Client, outbox: Outbox) -> Self {
        Peer {
            client,
            outbox,
            shows_notifications: false,
            shows_sessions: false,
        }
    }

    /// Tells one of our own notifications.
    pub fn tell<N: editor::Notification>(&self, params: &N::Params) {
        self.send(N::METHOD, params);
    }

    /// Tells one of LSP's notifications.
    pub fn tell_lsp<N: ls_types::notification::Notification>(&self, params: &N::Params) {
        self.send(N::METHOD, params);
    }

    /// A `$/progress` under a token that the client gave.
    pub fn progress(&self, token: &editor::ProgressToken, value: &impl Serialize) {
        self.send(
            "$/progress",
            &serde_json::json!({ "token": token, "value": value }),
        );
    }

    /// A message for the user, in the way that this client can show.
    pub fn notify(&self, params: &NotifyParams) {
        if self.shows_notifications {
            return self.tell::<editor::methods::Notify>(params);
        }
        let typ = match params.level {
            Level::Error => MessageType::ERROR,
            Level::Warn => MessageType::WARNING,
            _ => MessageType::INFO,
        };
        let message = match &params.help {
            Some(help) => format!("{} ({help})", params.text),
            None => params.text.clone(),
        };
        self.tell_lsp::<ls_types::notification::ShowMessage>(&ShowMessageParams { typ, message });
    }

    /// Asks one of our own questions.
    pub async fn ask<R>(&self, params: R::Params) -> jsonrpc::Result<R::Result>
    where
        R: editor::Request + Send + Sync + 'static,
    {
        self.client.send_request::<Asked<R>>(params).await
    }

    /// Asks one of LSP's questions.
    pub async fn ask_lsp<R>(&self, params: R::Params) -> jsonrpc::Result<R::Result>
    where
        R: ls_types::request::Request,
    {
        self.client.send_request::<R>(params).await
    }

    fn send(&self, method: &'static str, params: &impl Serialize) {
        match serde_json::to_value(params) {
            Ok(params) => self
                .outbox
                .send(&Request::build(method).params(params).finish()),
            Err(error) => tracing::error!("{method} could not be written as JSON: {error}"),
        }
    }
}

/// One of our questions in the shape that the service wants.
struct Asked<R>(PhantomData<R>);

impl<R: editor::Request> ls_types::request::Request for Asked<R> {
    type Params = R::Params;
    type Result = R::Result;
    const METHOD: &'static str = R::METHOD;
}
