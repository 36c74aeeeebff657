//! `initialize`: who the client is, and what it gets.

use std::path::PathBuf;

use mirrord_editor_protocol::PROTOCOL_VERSION;
use mirrord_editor_protocol::lifecycle::{InitializationOptions, ServerCapabilities};
use serde_json::{Value, json};
use tower_lsp::jsonrpc::Result;
use tower_lsp::ls_types::{
    CodeLensOptions, CompletionOptions, InitializeParams, InitializeResult, OneOf,
    ServerCapabilities as LspCapabilities, ServerInfo, TextDocumentSyncKind,
    WorkspaceFoldersChangeEvent, WorkspaceFoldersServerCapabilities, WorkspaceServerCapabilities,
};

use crate::daemon::client::{Client, Said};
use crate::daemon::failure::Failure;
use crate::daemon::greeting::VERSION;
use crate::daemon::{service, uri};

/// Answers `initialize`.
pub fn initialize(client: &Client, params: InitializeParams) -> Result<InitializeResult> {
    let options: InitializationOptions = match params.initialization_options {
        None | Some(Value::Null) => InitializationOptions::default(),
        Some(options) => serde_json::from_value(options).map_err(|error| {
            Failure::invalid(format!(
                "initializationOptions cannot be understood: {error}"
            ))
        })?,
    };
    #[expect(deprecated, reason = "clients without workspaceFolders still send it")]
    let root = params.root_uri;
    let folders: Vec<PathBuf> = match params.workspace_folders {
        Some(folders) => folders
            .iter()
            .filter_map(|folder| uri::to_path(folder.uri.as_str()))
            .collect(),
        None => root
            .iter()
            .filter_map(|root| uri::to_path(root.as_str()))
            .collect(),
    };
    tracing::info!(
        "a client began: {} {}",
        options.editor.name,
        options.editor.version
    );
    let workspace = params.capabilities.workspace;
    let refreshes_hints = workspace
        .and_then(|workspace| workspace.inlay_hint?.refresh_support)
        .unwrap_or(false);
    let snippets = params
        .capabilities
        .text_document
        .and_then(|text| text.completion?.completion_item?.snippet_support)
        .unwrap_or(false);
    client.introduced(Said {
        options,
        folders,
        snippets,
        refreshes_hints,
    });
    Ok(InitializeResult {
        server_info: Some(ServerInfo {
            name: "mirrord-server".into(),
            version: Some(VERSION.into()),
        }),
        capabilities: capabilities(),
        ..InitializeResult::default()
    })
}

/// `workspace/didChangeWorkspaceFolders`.
pub fn folders_changed(client: &Client, event: &WorkspaceFoldersChangeEvent) {
    let removed: Vec<PathBuf> = event
        .removed
        .iter()
        .filter_map(|folder| uri::to_path(folder.uri.as_str()))
        .collect();
    let added = event
        .added
        .iter()
        .filter_map(|folder| uri::to_path(folder.uri.as_str()));
    client.change(|said| {
        said.folders.retain(|folder| !removed.contains(folder));
        said.folders.extend(added);
    });
}

/// The words before the slash of what can be a target.
fn target_types() -> Vec<String> {
    let kinds = mirrord_kubernetes::Kind::ALL.into_iter();
    mirrord_target::LOCAL_KINDS
        .into_iter()
        .chain(kinds.map(mirrord_kubernetes::Kind::name))
        .map(str::to_owned)
        .collect()
}

fn capabilities() -> LspCapabilities {
    let ours = ServerCapabilities {
        protocol_version: PROTOCOL_VERSION,
        server_version: VERSION.to_owned(),
        target_types: target_types(),
        debug_adapters: mirrord_launch::table::names()
            .into_iter()
            .map(str::to_owned)
            .collect(),
        features: service::SERVED
            .iter()
            .map(|name| (*name).to_owned())
            .collect(),
    };
    LspCapabilities {
        workspace: Some(WorkspaceServerCapabilities {
            workspace_folders: Some(WorkspaceFoldersServerCapabilities {
                supported: Some(true),
                change_notifications: Some(OneOf::Left(true)),
            }),
            file_operations: None,
        }),
        text_document_sync: Some(TextDocumentSyncKind::INCREMENTAL.into()),
        completion_provider: Some(CompletionOptions {
            trigger_characters: Some([".", "\"", ":", "/", " "].map(str::to_owned).to_vec()),
            ..CompletionOptions::default()
        }),
        hover_provider: Some(true.into()),
        code_action_provider: Some(true.into()),
        code_lens_provider: Some(CodeLensOptions {
            resolve_provider: Some(false),
        }),
        inlay_hint_provider: Some(OneOf::Left(true)),
        document_symbol_provider: Some(OneOf::Left(true)),
        folding_range_provider: Some(true.into()),
        document_formatting_provider: Some(OneOf::Left(true)),
        experimental: Some(json!({ "mirrord": ours })),
        ..LspCapabilities::default()
    }
}
