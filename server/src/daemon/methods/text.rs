//! LSP's features on configuration files: each asks the open document, which knows how.

use std::sync::Arc;
use std::time::Duration;

use mirrord_config::Surroundings;
use mirrord_language::Abilities;
use tower_lsp::ls_types::{
    CodeActionOrCommand, CodeActionParams, CodeActionResponse, CodeLens, CodeLensParams,
    CompletionParams, CompletionResponse, DidChangeTextDocumentParams, DidCloseTextDocumentParams,
    DidOpenTextDocumentParams, DocumentFormattingParams, DocumentSymbolParams,
    DocumentSymbolResponse, FoldingRange, FoldingRangeParams, Hover, HoverParams, InlayHint,
    InlayHintParams, PublishDiagnosticsParams, TextEdit, Uri, notification, request,
};

use crate::daemon::client::Client;
use crate::daemon::live::Now;
use crate::daemon::uri;

/// Who types gets diagnostics when there is a pause.
const PAUSE: Duration = Duration::from_millis(40);

/// `textDocument/didOpen`.
pub fn open(client: &Arc<Client>, params: DidOpenTextDocumentParams) {
    let uri = params.text_document.uri.clone();
    client.documents.open(params);
    diagnose(client, uri, Duration::ZERO);
}

/// `textDocument/didChange`.
pub fn change(client: &Arc<Client>, params: DidChangeTextDocumentParams) {
    let uri = params.text_document.uri.clone();
    if client.documents.change(params) {
        diagnose(client, uri, PAUSE);
    }
}

/// `textDocument/didClose`: what was said about the text is taken back.
pub fn close(client: &Arc<Client>, params: &DidCloseTextDocumentParams) {
    client.documents.close(params);
    let uri = params.text_document.uri.clone();
    client.stop(&task_name(&uri));
    publish(client, uri, Vec::new(), None);
}

/// `textDocument/completion`.
pub fn completion(client: &Arc<Client>, params: &CompletionParams) -> Option<CompletionResponse> {
    let at = &params.text_document_position;
    let abilities = Abilities {
        snippets: client.said().snippets,
    };
    client.documents.with(&at.text_document.uri, |document, _| {
        CompletionResponse::List(document.completion(
            at.position,
            &Now::new(client, document),
            abilities,
        ))
    })
}

/// `textDocument/hover`.
pub fn hover(client: &Arc<Client>, params: &HoverParams) -> Option<Hover> {
    let at = &params.text_document_position_params;
    let look = |document: &mirrord_language::Document, _| {
        with_surroundings(client, document, |surroundings| {
            document.hover(at.position, &Now::new(client, document), surroundings)
        })
    };
    client.documents.with(&at.text_document.uri, look).flatten()
}

/// `textDocument/codeAction`.
pub fn code_actions(client: &Client, params: &CodeActionParams) -> Option<CodeActionResponse> {
    client
        .documents
        .with(&params.text_document.uri, |document, _| {
            let actions = with_surroundings(client, document, |surroundings| {
                document.code_actions(params.range, surroundings)
            });
            actions
                .into_iter()
                .map(CodeActionOrCommand::CodeAction)
                .collect()
        })
}

/// `textDocument/codeLens`.
pub fn code_lenses(client: &Client, params: &CodeLensParams) -> Option<Vec<CodeLens>> {
    let look = |document: &mirrord_language::Document, _| document.code_lenses();
    client.documents.with(&params.text_document.uri, look)
}

/// `textDocument/inlayHint`.
pub fn inlay_hints(client: &Arc<Client>, params: &InlayHintParams) -> Option<Vec<InlayHint>> {
    client
        .documents
        .with(&params.text_document.uri, |document, _| {
            with_surroundings(client, document, |surroundings| {
                document.inlay_hints(params.range, &Now::new(client, document), surroundings)
            })
        })
}

/// `textDocument/documentSymbol`.
pub fn symbols(client: &Client, params: &DocumentSymbolParams) -> Option<DocumentSymbolResponse> {
    client
        .documents
        .with(&params.text_document.uri, |document, _| {
            DocumentSymbolResponse::Nested(document.symbols())
        })
}

/// `textDocument/foldingRange`.
pub fn folding(client: &Client, params: &FoldingRangeParams) -> Option<Vec<FoldingRange>> {
    let look = |document: &mirrord_language::Document, _| document.folding();
    client.documents.with(&params.text_document.uri, look)
}

/// `textDocument/formatting`.
pub fn format(client: &Client, params: &DocumentFormattingParams) -> Option<Vec<TextEdit>> {
    let look = |document: &mirrord_language::Document, _| document.format_edits();
    client.documents.with(&params.text_document.uri, look)
}

/// Something was heard of a cluster: what was said of the open texts may be otherwise now.
pub fn refresh(client: &Arc<Client>) {
    for uri in client.documents.uris() {
        diagnose(client, uri, Duration::ZERO);
    }
    if !client.said().refreshes_hints {
        return;
    }
    let peer = client.peer();
    tokio::spawn(async move {
        if let Err(error) = peer.ask_lsp::<request::InlayHintRefreshRequest>(()).await {
            tracing::debug!("the client did not refresh its hints: {error}");
        }
    });
}

fn diagnose(client: &Arc<Client>, uri: Uri, pause: Duration) {
    let name = task_name(&uri);
    let told = Arc::clone(client);
    let task = tokio::spawn(async move {
        tokio::time::sleep(pause).await;
        let found = told.documents.with(&uri, |document, version| {
            let mut diagnostics = with_surroundings(&told, document, |surroundings| {
                document.diagnostics(surroundings)
            });
            diagnostics.extend(document.live_diagnostics(&Now::new(&told, document)));
            (diagnostics, version)
        });
        if let Some((diagnostics, version)) = found {
            publish(&told, uri, diagnostics, Some(version));
        }
    });
    client.keep(name, task.abort_handle());
}

fn publish(
    client: &Client,
    uri: Uri,
    diagnostics: Vec<tower_lsp::ls_types::Diagnostic>,
    version: Option<i32>,
) {
    let params = PublishDiagnosticsParams {
        uri,
        diagnostics,
        version,
    };
    client
        .peer()
        .tell_lsp::<notification::PublishDiagnostics>(&params);
}

fn task_name(uri: &Uri) -> String {
    format!("diagnostics {}", uri::normal(uri.as_str()))
}

/// Templates see the client's environment, and the branch of the file's folder.
fn with_surroundings<T>(
    client: &Client,
    document: &mirrord_language::Document,
    look: impl FnOnce(&Surroundings<'_>) -> T,
) -> T {
    let folder = document.path().parent().map(std::path::Path::to_path_buf);
    let git_branch = || mirrord_config::git_branch(folder.as_deref()?);
    look(&Surroundings {
        env: client
            .environment(&Default::default())
            .into_iter()
            .collect(),
        git_branch: &git_branch,
    })
}
