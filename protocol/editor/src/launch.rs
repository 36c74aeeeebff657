//! `mirrord/launch/*` and `mirrord/debug/state`: from a launch configuration to a session.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ProgressToken;
use crate::config::ConfigChoice;

open_enum! {
    /// What a launch is for.
    LaunchKind {
        /// Under a debugger.
        Debug = "debug",
        /// Without one.
        Run = "run",
        /// A test runner.
        Test = "test",
    }
}

open_enum! {
    /// Who owns a session.
    Owner {
        /// The user: it outlives the connection.
        User = "user",
        /// The connection: it ends with it.
        Connection = "connection",
    }
}

/// `mirrord/launch/prepare`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PrepareParams {
    /// The folder that owns the launch (URI), or null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// The launch.
    pub launch: Launch,
    /// A target that beats the configuration's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The configuration file that the launch names (URI).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_uri: Option<String>,
    /// The toggle's value; `MIRRORD_ACTIVE` in the launch's environment beats it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// The user may be asked (`mirrord/ui/pickTarget`).
    #[serde(default)]
    pub interactive: bool,
    /// `user` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owned_by: Option<Owner>,
    /// Progress is told under this token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work_done_token: Option<ProgressToken>,
}

/// A launch as the editor knows it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Launch {
    /// Its name in the editor.
    pub name: String,
    /// What it is for; `run` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<LaunchKind>,
    /// The debug adapter: `debugpy`, `delve`, `js-debug`, `jdwp`, `cppdbg`, `lldb`, `gdb`,
    /// `coreclr`, …; nothing for a plain run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// The program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// The interpreter or runtime that runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// Its arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Vec<String>>,
    /// Its working directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Its environment; null unsets.
    pub env: BTreeMap<String, Option<String>>,
    /// A file with more of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env_file: Option<String>,
    /// `integratedTerminal`, `externalTerminal`, `internalConsole`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub console: Option<String>,
    /// Where the debugger is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub debugger: Option<Debugger>,
    /// The whole configuration as the editor has it; `patch.vscode` applies to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<Value>,
}

/// Where a debugger is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Debugger {
    /// The port that the debuggee connects to or listens on for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The debug adapter's process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// Folders that the editor and the debugger are installed in: what the debuggee reads there
    /// for them is this machine's.
    #[serde(default)]
    pub folders: Vec<String>,
}

open_enum! {
    /// What the client is to do.
    Decision {
        /// Apply the result and launch.
        Inject = "inject",
        /// Launch unchanged; `reason` says why.
        Skip = "skip",
        /// Do not launch: the user cancelled.
        Cancelled = "cancelled",
    }
}

/// What the client applies: `patch.<editor>` or the neutral fields, never both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PrepareResult {
    /// What to do.
    pub decision: Decision,
    /// Why, one sentence.
    pub reason: String,
    /// The session; there is one with `inject` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// When the session ends if no process appears; `mirrord/launch/keep` extends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Changes of the environment. No values of the pod.
    #[serde(default)]
    pub env: EnvChanges,
    /// The program to start instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// What to put before the arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argv: Option<ArgvChange>,
    /// The same for an editor's own launch object.
    #[serde(default)]
    pub patch: Patch,
    /// What stays on this machine.
    #[serde(default)]
    pub local: LocalParts,
    /// The target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The configuration, and why this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<ConfigChoice>,
    /// What the user should know.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// For the status item: `sandbox/default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_text: Option<String>,
}

/// Changes of an environment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct EnvChanges {
    /// Set these.
    pub set: BTreeMap<String, String>,
    /// Remove these.
    pub unset: Vec<String>,
}

/// A change of the command line.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArgvChange {
    /// Put before the program and its arguments. With delve the program is the debugger.
    pub prefix: Vec<String>,
    /// All arguments anew, where ours belong in the middle (`docker run`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Vec<String>>,
}

/// Patches of the editors' own launch objects.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Patch {
    /// RFC 6902 over `launch.raw`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vscode: Option<Vec<PatchOperation>>,
    /// For a run configuration of JetBrains' IDEs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jetbrains: Option<JetBrainsPatch>,
}

/// One operation of a JSON Patch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "op", rename_all = "camelCase")]
pub enum PatchOperation {
    /// Add a value.
    Add {
        /// A JSON Pointer.
        path: String,
        /// The value.
        value: Value,
    },
    /// Remove a value.
    Remove {
        /// A JSON Pointer.
        path: String,
    },
    /// Replace a value.
    Replace {
        /// A JSON Pointer.
        path: String,
        /// The value.
        value: Value,
    },
    /// Check a value before the rest is applied.
    Test {
        /// A JSON Pointer.
        path: String,
        /// The value.
        value: Value,
    },
}

/// A patch for JetBrains' IDEs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct JetBrainsPatch {
    /// Variables to set.
    pub env: BTreeMap<String, String>,
    /// Variables to remove.
    pub unset: Vec<String>,
    /// The executable to start instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exe: Option<String>,
    /// Arguments to put first.
    pub prepend_args: Vec<String>,
    /// All arguments anew, where ours belong in the middle (`docker run`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Vec<String>>,
    /// Arguments for the virtual machine.
    pub vm_args: Vec<String>,
}

/// What stays on this machine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct LocalParts {
    /// Ports that are the debugger's.
    pub ports: Vec<u16>,
    /// Executables that are left alone.
    pub processes: Vec<String>,
}

/// `mirrord/launch/bind`: the debuggee runs. Idempotent, once for each debuggee.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BindParams {
    /// The session.
    pub session_id: String,
    /// The debuggee, as the daemon sees pids.
    pub pid: i32,
    /// The exact port of its debugger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub debugger_port: Option<u16>,
}

/// `mirrord/launch/keep` and `mirrord/launch/abort`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionParams {
    /// The session.
    pub session_id: String,
}

/// A new end of waiting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeepResult {
    /// When the session ends if no process appears; none when it runs already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

open_enum! {
    /// What a debuggee does.
    DebugState {
        /// At a breakpoint; arms the breakpoint guard.
        Paused = "paused",
        /// Running.
        Running = "running",
        /// The debugger went away; disarms the guard.
        Disconnected = "disconnected",
    }
}

/// `mirrord/debug/state`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DebugStateParams {
    /// The session.
    pub session_id: String,
    /// The debuggee.
    pub pid: i32,
    /// What it does.
    pub state: DebugState,
}
