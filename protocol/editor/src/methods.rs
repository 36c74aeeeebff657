//! Every `mirrord/*` method: its name, who sends it, and its types. The schema, the page and the
//! daemon's own table are made from this one.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{
    Empty, agent, config, doctor, explain, kube, launch, lifecycle, notify, session, targets, ui,
};

/// A message that is answered.
pub trait Request {
    /// Its name on the wire.
    const METHOD: &'static str;
    /// What it carries.
    type Params: Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What answers it.
    type Result: Serialize + DeserializeOwned + Send + Sync + 'static;
}

/// A message that is not answered.
pub trait Notification {
    /// Its name on the wire.
    const METHOD: &'static str;
    /// What it carries.
    type Params: Serialize + DeserializeOwned + Send + Sync + 'static;
}

/// Who sends a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The client.
    ClientToServer,
    /// The daemon.
    ServerToClient,
}

/// A row of the table.
pub struct MethodInfo {
    /// Its name on the wire.
    pub name: &'static str,
    /// Who sends it.
    pub direction: Direction,
    /// What it is for, one or two sentences.
    pub purpose: &'static str,
    /// The schema of what it carries.
    pub params: fn(&mut SchemaGenerator) -> Schema,
    /// The schema of what answers it; none for a notification.
    pub result: Option<fn(&mut SchemaGenerator) -> Schema>,
}

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

macro_rules! methods {
    ($(
        $(#[doc = $doc:literal])+
        $direction:ident $name:ident = $method:literal ($params:ty) $(-> $result:ty)?;
    )+) => {
        $(
            $(#[doc = $doc])+
            #[derive(Debug)]
            pub enum $name {}
            methods!(@traits $name, $method, $params $(, $result)?);
        )+

        /// All methods, in the order of the documentation.
        pub const METHODS: &[MethodInfo] = &[$(
            MethodInfo {
                name: $method,
                direction: Direction::$direction,
                purpose: concat!($($doc),+),
                params: schema_of::<$params>,
                result: methods!(@result $($result)?),
            },
        )+];
    };
    (@traits $name:ident, $method:literal, $params:ty, $result:ty) => {
        impl Request for $name {
            const METHOD: &'static str = $method;
            type Params = $params;
            type Result = $result;
        }
    };
    (@traits $name:ident, $method:literal, $params:ty) => {
        impl Notification for $name {
            const METHOD: &'static str = $method;
            type Params = $params;
        }
    };
    (@result $result:ty) => { Some(schema_of::<$result>) };
    (@result) => { None };
}

methods! {
    /// Feeds the one status item; sent when it changes and after `initialized`.
    ServerToClient Status = "mirrord/status" (lifecycle::Status);

    /// The workspace's configuration files.
    ClientToServer ConfigList = "mirrord/config/list" (config::ListParams) -> config::ListResult;
    /// A new configuration from a template, as an edit that the client makes.
    ClientToServer ConfigCreate = "mirrord/config/create" (config::CreateParams) -> config::CreateResult;
    /// Another target for a configuration, as an edit that the client makes.
    ClientToServer ConfigSetTarget = "mirrord/config/setTarget" (config::SetTargetParams) -> config::SetTargetResult;
    /// Remembers the active file of a workspace.
    ClientToServer ConfigSetActive = "mirrord/config/setActive" (config::ActiveFile) -> Empty;
    /// The active file of a workspace changed, by any client.
    ServerToClient ConfigActiveChanged = "mirrord/config/activeChanged" (config::ActiveFile);
    /// Which file wins for a launch and why, and each effective value with its origin.
    ClientToServer ConfigResolve = "mirrord/config/resolve" (config::ResolveParams) -> config::ResolveResult;
    /// What is wrong with a file or a text.
    ClientToServer ConfigVerify = "mirrord/config/verify" (config::VerifyParams) -> config::VerifyResult;
    /// The least configuration that a session's events needed, as an edit.
    ClientToServer ConfigFromSession = "mirrord/config/fromSession" (config::FromSessionParams) -> config::FromSessionResult;

    /// The contexts of the client's kubeconfig.
    ClientToServer KubeContexts = "mirrord/kube/contexts" (kube::ContextsParams) -> kube::ContextsResult;
    /// The namespaces of a cluster.
    ClientToServer KubeNamespaces = "mirrord/kube/namespaces" (kube::NamespacesParams) -> kube::NamespacesResult;
    /// The least role as YAML for the modes asked for.
    ClientToServer Rbac = "mirrord/rbac" (kube::RbacParams) -> kube::RbacResult;

    /// What a program can be run in, local targets included; streams and can be searched.
    ClientToServer TargetsList = "mirrord/targets/list" (targets::ListParams) -> targets::ListResult;
    /// As the list, and changes of it follow.
    ClientToServer TargetsWatch = "mirrord/targets/watch" (targets::WatchParams) -> targets::WatchResult;
    /// Ends a watch.
    ClientToServer TargetsUnwatch = "mirrord/targets/unwatch" (targets::UnwatchParams) -> Empty;
    /// What changed in a watched list.
    ServerToClient TargetsChanged = "mirrord/targets/changed" (targets::Changed);
    /// Containers, names of variables, probes, ports, replicas, and sessions of one target.
    ClientToServer TargetsDescribe = "mirrord/targets/describe" (targets::DescribeParams) -> targets::DescribeResult;

    /// The core: makes a session for a launch, and says what the editor changes in that launch.
    ClientToServer LaunchPrepare = "mirrord/launch/prepare" (launch::PrepareParams) -> launch::PrepareResult;
    /// The debuggee runs; its pid and its debugger's exact port.
    ClientToServer LaunchBind = "mirrord/launch/bind" (launch::BindParams) -> Empty;
    /// A build still runs before the launch: the session waits longer.
    ClientToServer LaunchKeep = "mirrord/launch/keep" (launch::SessionParams) -> launch::KeepResult;
    /// The editor never launched: the session is undone.
    ClientToServer LaunchAbort = "mirrord/launch/abort" (launch::SessionParams) -> Empty;
    /// A debuggee pauses or goes on; drives the breakpoint guard.
    ClientToServer DebugState = "mirrord/debug/state" (launch::DebugStateParams) -> Empty;

    /// This user's sessions, whoever began them.
    ClientToServer SessionList = "mirrord/session/list" (session::ListParams) -> session::ListResult;
    /// One session.
    ClientToServer SessionGet = "mirrord/session/get" (session::GetParams) -> session::Session;
    /// Ends a session; answered after clean-up.
    ClientToServer SessionStop = "mirrord/session/stop" (session::StopParams) -> session::StopResult;
    /// The same launch again, with its configuration resolved again.
    ClientToServer SessionRestart = "mirrord/session/restart" (session::RestartParams) -> launch::PrepareResult;
    /// Events of a session follow.
    ClientToServer SessionSubscribe = "mirrord/session/subscribe" (session::SubscribeParams) -> session::SubscribeResult;
    /// No more events of a session.
    ClientToServer SessionUnsubscribe = "mirrord/session/unsubscribe" (session::GetParams) -> Empty;
    /// Something happened in a session that this client subscribed to.
    ServerToClient SessionEvent = "mirrord/session/event" (session::SessionEvent);
    /// A session began, ended or changed its state; for clients with a view of sessions.
    ServerToClient SessionChanged = "mirrord/session/changed" (session::Changed);
    /// Changes one rule of a running session, and returns the edit that would keep it.
    ClientToServer SessionRule = "mirrord/session/rule" (session::RuleParams) -> session::RuleResult;
    /// Logs of a session: its own, the agent's, the layer's.
    ClientToServer SessionLogs = "mirrord/session/logs" (session::LogsParams) -> session::LogsResult;
    /// After confirmation: one matching and one unmatched request through the target, and who answered.
    ClientToServer SessionProveIncoming = "mirrord/session/proveIncoming" (session::ProveIncomingParams) -> session::ProveIncomingResult;

    /// How a session's agent is.
    ClientToServer AgentStatus = "mirrord/agent/status" (agent::StatusParams) -> agent::AgentStatus;
    /// This user's agents, warm ones included.
    ClientToServer AgentList = "mirrord/agent/list" (agent::ListParams) -> agent::ListResult;
    /// Ends a warm agent.
    ClientToServer AgentStop = "mirrord/agent/stop" (agent::StopParams) -> Empty;

    /// Local or remote, and the rule, without a run.
    ClientToServer Explain = "mirrord/explain" (explain::ExplainParams) -> explain::ExplainResult;
    /// What works here, as a stream of checks.
    ClientToServer Doctor = "mirrord/doctor" (doctor::DoctorParams) -> doctor::DoctorResult;

    /// Something the user should know.
    ServerToClient Notify = "mirrord/notify" (notify::NotifyParams);
    /// Silence a kind of message, or hear it again.
    ClientToServer NotifyMute = "mirrord/notify/mute" (notify::MuteParams) -> Empty;
    /// Asks the user for a target while a `prepare` with `interactive` is under way.
    ServerToClient UiPickTarget = "mirrord/ui/pickTarget" (ui::PickTargetParams) -> ui::PickTargetResult;
}
