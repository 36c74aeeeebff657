//! The service of one connection: LSP's own methods, and the table of ours.

use std::sync::Arc;

use mirrord_editor_protocol::{Request, methods as m};
use tower_lsp::jsonrpc::Result;
use tower_lsp::ls_types::{
    CodeActionParams, CodeActionResponse, CodeLens, CodeLensParams, CompletionParams,
    CompletionResponse, DidChangeConfigurationParams, DidChangeTextDocumentParams,
    DidChangeWorkspaceFoldersParams, DidCloseTextDocumentParams, DidOpenTextDocumentParams,
    DocumentFormattingParams, DocumentSymbolParams, DocumentSymbolResponse, FoldingRange,
    FoldingRangeParams, Hover, HoverParams, InitializeParams, InitializeResult, InitializedParams,
    InlayHint, InlayHintParams, TextEdit,
};
use tower_lsp::{ClientSocket, LanguageServer, LspService, LspServiceBuilder};

use super::client::Client;
use super::methods;
use super::outbox::Outbox;
use super::peer::Peer;
use super::state::Daemon;

/// What the service calls.
pub struct Backend(Arc<Client>);

impl Backend {
    /// Its client.
    pub fn client(&self) -> Arc<Client> {
        Arc::clone(&self.0)
    }
}

/// The service of a new connection.
pub fn build(daemon: Arc<Daemon>, outbox: Outbox) -> (LspService<Backend>, ClientSocket) {
    let builder = LspService::build(|lsp| Backend(Client::new(daemon, Peer::new(lsp, outbox))));
    serve(builder).finish()
}

macro_rules! served {
    ($($method:ident => $handler:path,)+) => {
        /// Every method of ours that clients may call; `initialize` lists them.
        pub const SERVED: &[&str] = &[$(m::$method::METHOD),+];

        fn serve(builder: LspServiceBuilder<Backend>) -> LspServiceBuilder<Backend> {
            builder $(.custom_method(
                m::$method::METHOD,
                async |backend: &Backend, params: <m::$method as Request>::Params| {
                    let result: Result<<m::$method as Request>::Result> =
                        $handler(&backend.0, params).await.map_err(Into::into);
                    result
                },
            ))+
        }
    };
}

served! {
    ConfigList => methods::config_list::list,
    ConfigCreate => methods::config_create::create,
    ConfigResolve => methods::config_resolve::resolve,
    ConfigVerify => methods::config_verify::verify,
    ConfigFromSession => methods::config_from_session::from_session,
    Explain => methods::explain::explain,
    ConfigSetTarget => methods::config_target::set,
    ConfigSetActive => methods::config_active::set,
    KubeContexts => methods::kube::contexts,
    KubeNamespaces => methods::kube::namespaces,
    Rbac => methods::rbac::rbac,
    TargetsList => methods::targets_list::list,
    TargetsWatch => methods::targets_watch::watch,
    TargetsUnwatch => methods::targets_watch::unwatch,
    TargetsDescribe => methods::targets_describe::describe,
    LaunchPrepare => methods::launch_prepare::prepare,
    LaunchBind => methods::launch_after::bind,
    LaunchKeep => methods::launch_after::keep,
    LaunchAbort => methods::launch_after::abort,
    DebugState => methods::launch_after::debug_state,
    SessionList => methods::session_list::list,
    SessionGet => methods::session_list::get,
    SessionStop => methods::session_stop::stop,
    SessionRestart => methods::session_restart::restart,
    SessionSubscribe => methods::session_subscribe::subscribe,
    SessionUnsubscribe => methods::session_subscribe::unsubscribe,
    SessionRule => methods::session_rule::rule,
    SessionLogs => methods::session_logs::logs,
    SessionProveIncoming => methods::session_prove::prove,
    AgentStatus => methods::agent::status,
    AgentList => methods::agent::list,
    AgentStop => methods::agent::stop,
    Doctor => methods::doctor::doctor,
    NotifyMute => methods::notify::mute,
}

impl LanguageServer for Backend {
    async fn initialize(&self, params: InitializeParams) -> Result<InitializeResult> {
        methods::initialize::initialize(&self.0, params)
    }

    async fn initialized(&self, _: InitializedParams) {
        self.0.join();
        super::views::look(&self.0.daemon);
        methods::status::tell(&self.0).await;
    }

    async fn shutdown(&self) -> Result<()> {
        Ok(())
    }

    async fn did_change_configuration(&self, params: DidChangeConfigurationParams) {
        self.0
            .change(|said| said.options.settings = params.settings);
    }

    async fn did_change_workspace_folders(&self, params: DidChangeWorkspaceFoldersParams) {
        methods::initialize::folders_changed(&self.0, &params.event);
    }

    async fn did_open(&self, params: DidOpenTextDocumentParams) {
        methods::text::open(&self.0, params);
    }

    async fn did_change(&self, params: DidChangeTextDocumentParams) {
        methods::text::change(&self.0, params);
    }

    async fn did_close(&self, params: DidCloseTextDocumentParams) {
        methods::text::close(&self.0, &params);
    }

    async fn completion(&self, params: CompletionParams) -> Result<Option<CompletionResponse>> {
        Ok(methods::text::completion(&self.0, &params))
    }

    async fn hover(&self, params: HoverParams) -> Result<Option<Hover>> {
        Ok(methods::text::hover(&self.0, &params))
    }

    async fn code_action(&self, params: CodeActionParams) -> Result<Option<CodeActionResponse>> {
        Ok(methods::text::code_actions(&self.0, &params))
    }

    async fn code_lens(&self, params: CodeLensParams) -> Result<Option<Vec<CodeLens>>> {
        Ok(methods::text::code_lenses(&self.0, &params))
    }

    async fn inlay_hint(&self, params: InlayHintParams) -> Result<Option<Vec<InlayHint>>> {
        Ok(methods::text::inlay_hints(&self.0, &params))
    }

    async fn document_symbol(
        &self,
        params: DocumentSymbolParams,
    ) -> Result<Option<DocumentSymbolResponse>> {
        Ok(methods::text::symbols(&self.0, &params))
    }

    async fn folding_range(&self, params: FoldingRangeParams) -> Result<Option<Vec<FoldingRange>>> {
        Ok(methods::text::folding(&self.0, &params))
    }

    async fn formatting(&self, params: DocumentFormattingParams) -> Result<Option<Vec<TextEdit>>> {
        Ok(methods::text::format(&self.0, &params))
    }
}
