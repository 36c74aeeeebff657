//! `mirrord/config/*`: which files there are, which one counts, and what is in it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ProgressToken;
use crate::text::{Range, TextEdit, WorkspaceEdit};

open_enum! {
    /// Why a file is in the list.
    FileKind {
        /// Set active for the workspace.
        Active = "active",
        /// Named by a launch configuration.
        Launch = "launch",
        /// What a launch without a file of its own uses.
        Default = "default",
        /// Lies there.
        Found = "found",
    }
}

open_enum! {
    /// A configuration's language.
    Format {
        /// JSON, comments allowed.
        Json = "json",
        /// YAML.
        Yaml = "yaml",
        /// TOML.
        Toml = "toml",
    }
}

/// `mirrord/config/list`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ConfigListParams")]
pub struct ListParams {
    /// Only of this folder (URI); else of all the client's folders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// Rows come as partial results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial_result_token: Option<ProgressToken>,
}

/// The configuration files.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ConfigListResult")]
pub struct ListResult {
    /// The active one first, then by name.
    pub files: Vec<ConfigFile>,
}

/// One configuration file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigFile {
    /// Where it is.
    pub uri: String,
    /// The folder that it belongs to (URI).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// Why it is in the list.
    pub kind: FileKind,
    /// Its language.
    pub format: Format,
    /// It has no errors.
    pub valid: bool,
    /// Its target, when it names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// `mirrord/config/create`: a new file from a template.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateParams {
    /// The folder (URI).
    pub workspace: String,
    /// JSON when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// The file's name without folder and ending; `mirrord` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The target to put into it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// The new file, to be made by the client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateResult {
    /// Where it will be.
    pub uri: String,
    /// Makes it.
    pub edit: WorkspaceEdit,
}

/// `mirrord/config/setTarget`: another target for a file; its open text counts, if it is open.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SetTargetParams {
    /// The file.
    pub uri: String,
    /// The target, as `mirrord/targets/list` names it.
    pub target: String,
}

/// The edit that makes it the file's target; comments and layout stay as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SetTargetResult {
    /// Puts it there.
    pub edit: WorkspaceEdit,
}

/// `mirrord/config/setActive`, and `mirrord/config/activeChanged` to every client.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActiveFile {
    /// The folder (URI).
    pub workspace: String,
    /// The active file; none to go back to the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
}

open_enum! {
    /// What chose a configuration file.
    ConfigSource {
        /// The launch or the command line names it.
        Explicit = "explicit",
        /// `MIRRORD_CONFIG_FILE`.
        Environment = "environment",
        /// Set active for the workspace.
        Active = "active",
        /// `.mirrord/*mirrord.{json,toml,yml,yaml}`, the first by name.
        Default = "default",
        /// No file: defaults alone.
        None = "none",
    }
}

/// Which file was used, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigChoice {
    /// The file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// What chose it.
    pub source: ConfigSource,
    /// The same in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// `mirrord/config/resolve`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResolveParams {
    /// The folder that owns the launch (URI).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// The file that the launch names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_uri: Option<String>,
    /// The launch's working directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The launch's environment; null unsets.
    #[serde(default)]
    pub env: BTreeMap<String, Option<String>>,
    /// The launch's target, which beats the file's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// What a launch would use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResolveResult {
    /// The file, and why this one.
    pub config: ConfigChoice,
    /// Each value that counts.
    pub values: Vec<EffectiveValue>,
    /// What is wrong with the file.
    pub diagnostics: Vec<Diagnostic>,
}

/// A value that counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EffectiveValue {
    /// Its key: `feature.fs.mode`.
    pub path: String,
    /// The value; secrets are `"***"`.
    pub value: Value,
    /// Where it comes from.
    pub origin: Origin,
    /// The value may be a secret and is not shown.
    #[serde(default)]
    pub redacted: bool,
}

open_enum! {
    /// Where a value comes from.
    OriginKind {
        /// The command line or the launch.
        Flag = "flag",
        /// An environment variable.
        Env = "env",
        /// The file.
        File = "file",
        /// A template in the file.
        Template = "template",
        /// The default.
        Default = "default",
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    /// Of what kind.
    pub kind: OriginKind,
    /// The flag or the variable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// Where in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<Range>,
}

/// `mirrord/config/verify`: a file, or a text that need not be saved.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerifyParams {
    /// The file; its open text counts, if it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// The text itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The text's language; else from the file's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerifyResult {
    /// There are no errors (there may be warnings).
    pub ok: bool,
    /// In the file's order.
    pub diagnostics: Vec<Diagnostic>,
}

open_enum! {
    /// How bad it is.
    Severity {
        /// A run is refused.
        Error = "error",
        /// A run does something else than one might think.
        Warning = "warning",
        /// Good to know.
        Info = "info",
        /// A suggestion.
        Hint = "hint",
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Diagnostic {
    /// The file, when it is not the one asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// Where in the text.
    pub range: Range,
    /// How bad.
    pub severity: Severity,
    /// A name for this kind of fault, stable.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// An edit that mends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
}

/// An edit that mends a fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Fix {
    /// What it does.
    pub title: String,
    /// The changes.
    pub edits: Vec<TextEdit>,
}

/// `mirrord/config/fromSession`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FromSessionParams {
    /// The session whose events count.
    pub session_id: String,
    /// The file to change or make; else a new one in the session's workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// For a new file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
}

/// The least configuration that a session's events needed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FromSessionResult {
    /// The whole new text.
    pub text: String,
    /// Puts it there.
    pub edit: WorkspaceEdit,
    /// Why each key is in it, and each value of a list (`feature.fs.read_only.0`). In YAML and TOML
    /// the text has them as comments too.
    pub reasons: Vec<KeyReason>,
    /// What keys cannot say: events that are missing, values that were left out since they may be
    /// secrets.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// Why a key is in a proposed configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyReason {
    /// The key.
    pub path: String,
    /// Which events ask for it.
    pub why: String,
}
