//! `mirrord/launch/prepare`: from a launch, as the editor has it, to a session that waits for its
//! program, and to what the editor changes in the launch.
//!
//! What can be refused or skipped is found out before anything is started. From then on a
//! cancelled request undoes what it began before it is answered.

mod injection;
mod notices;
mod pick;
mod progress;
mod tools;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mirrord_editor_protocol::ErrorKind;
use mirrord_editor_protocol::launch::{Decision, Owner, PrepareParams, PrepareResult};
use mirrord_launch::{Injection, Plan};
use mirrord_protocol::session_control::{Chosen, ConfigSource, OwnedBy, Prepared, SessionOptions};

use self::injection::{facts, injection_of, placeholder};
use self::progress::Progress;
use super::{Outcome, apart};
use crate::daemon::client::Client;
use crate::daemon::configs::{Wanted, choice_of};
use crate::daemon::failure::Failure;
use crate::daemon::request::Context;
use crate::daemon::{uri, views};
use crate::session::client::SessionClient;
use crate::session::spawn;

/// A session waits so long for its program.
pub const EXPIRES_MS: u64 = 60_000;

/// Its agent is kept so long for the next session.
const KEEP_AGENT_MS: u64 = 60_000;

/// The log filter of sessions.
const SESSION_LOG: &str = "info";

/// The toggle in a launch's environment.
const ACTIVE: &str = "MIRRORD_ACTIVE";

/// Prepares a launch.
pub async fn prepare(client: &Arc<Client>, mut params: PrepareParams) -> Outcome<PrepareResult> {
    if !is_active(client, &params).await? {
        return Ok(without_session(
            Decision::Skip,
            "mirrord is switched off for this launch",
        ));
    }
    if client.said().options.workspace_trust == Some(false) {
        let message = "the workspace is not trusted, so nothing of it is run in a session";
        return Err(Failure::new(ErrorKind::Forbidden, message).help("trust the workspace first"));
    }
    let mut environment = client.environment(&params.launch.env);
    let folder = folder(client, &params);
    let facts = facts(&params.launch, &folder, &environment).await?;
    // Before anything starts: may be there is nothing to do, or nothing that can be done.
    let draft = plan(&params, &facts, &placeholder())?;
    if draft.decision != Decision::Inject {
        notices::skipped(client, &params.launch, &draft.reason);
        return Ok(without_session(draft.decision, &draft.reason));
    }
    let config_uri = params.config_uri.as_deref();
    let mut wanted = client.wanted_in(folder.clone(), config_uri, environment.clone());
    wanted.target.clone_from(&params.target);
    let (wanted, has_target) = apart(move || {
        let has_target = wanted.load()?.config.target_name().is_some();
        Ok((wanted, has_target))
    })
    .await?;
    if !has_target {
        if !pick::target(client, &mut params).await? {
            return Ok(without_session(Decision::Cancelled, "no target was picked"));
        }
        // The pick may be in another namespace or context.
        environment = client.environment(&params.launch.env);
    }
    let prepared = start(client, &params, &wanted, &environment, &folder).await?;
    let session = SessionClient::new(&prepared.folder);
    let plan = match injection_of(&prepared).and_then(|injection| plan(&params, &facts, &injection))
    {
        Ok(plan) => plan,
        Err(failure) => {
            // Nobody would launch into it.
            session.abort().await?;
            return Err(failure);
        }
    };
    remember(client, &params, &prepared).await;
    notices::prepared(client, &wanted, &plan.warnings, &prepared);
    views::look(&client.daemon);
    if params.owned_by == Some(Owner::Connection) {
        client.own(session);
    }
    Ok(result(plan, prepared, &wanted))
}

/// The toggle: the launch's own environment beats the editor's.
async fn is_active(client: &Arc<Client>, params: &PrepareParams) -> Outcome<bool> {
    if let (Some(workspace), Some(active)) = (&params.workspace, params.active) {
        let (daemon, workspace) = (client.daemon.clone(), uri::normal(workspace));
        apart(move || {
            daemon.saved.change(|memory| {
                memory.toggles.insert(workspace, active);
            })
        })
        .await?;
    }
    match params.launch.env.get(ACTIVE).and_then(Option::as_deref) {
        None => Ok(params.active.unwrap_or(true)),
        Some("1" | "true" | "TRUE" | "True") => Ok(true),
        Some("0" | "false" | "FALSE" | "False" | "") => Ok(false),
        Some(other) => Err(Failure::invalid(format!(
            "{ACTIVE} is {other:?} in the launch's environment; it must be true or false"
        ))),
    }
}

/// Where the configuration is looked for and what relative paths mean: the folder that owns the
/// launch, else where it runs.
fn folder(client: &Client, params: &PrepareParams) -> PathBuf {
    let launch = &params.launch;
    let paths = [&launch.cwd, &launch.program].into_iter().flatten();
    let inside: Vec<&Path> = paths
        .map(Path::new)
        .filter(|path| path.is_absolute())
        .collect();
    client.owning_folder(params.workspace.as_deref(), &inside)
}

fn plan(
    params: &PrepareParams,
    facts: &mirrord_launch::Facts,
    injection: &Injection,
) -> Result<Plan, Failure> {
    mirrord_launch::plan(&params.launch, facts, injection).map_err(|refusal| {
        Failure::new(ErrorKind::LaunchRefused, refusal.message).help(refusal.help)
    })
}

async fn start(
    client: &Arc<Client>,
    params: &PrepareParams,
    wanted: &Wanted,
    environment: &BTreeMap<String, String>,
    folder: &Path,
) -> Outcome<Prepared> {
    let launch = &params.launch;
    let working_directory = launch
        .cwd
        .as_ref()
        .map_or_else(|| folder.to_path_buf(), |cwd| folder.join(cwd));
    let choice = wanted.choose()?;
    let options = SessionOptions {
        tools: tools::of(launch),
        name: launch.name.clone(),
        workspace: params.workspace.as_deref().and_then(uri::to_path),
        owned_by: match params.owned_by {
            Some(Owner::Connection) => OwnedBy::Connection,
            _ => OwnedBy::User,
        },
        config: ConfigSource {
            chosen: Some(Chosen {
                source: choice.source.name().to_owned(),
                why: choice.why,
            }),
            file: choice.path,
            folder: wanted.folder.clone(),
            target: params.target.clone(),
            incoming: None,
        },
        program: launch
            .program
            .as_ref()
            .map(|program| working_directory.join(program)),
        working_directory,
        expires_ms: EXPIRES_MS,
        keep_agent_ms: KEEP_AGENT_MS,
        log: SESSION_LOG.to_owned(),
    };
    let environment: Vec<(OsString, OsString)> = environment
        .iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    let cancel = Context::current().undoes_by_itself();
    let progress = Progress::begin(client.peer(), params.work_done_token.clone());
    let prepared = spawn::prepare(&options, &environment, |step| progress.step(step), &cancel);
    let prepared = prepared.await;
    progress.end();
    prepared.map_err(|error| {
        let mut failure = Failure::from(error);
        if failure.0.kind == ErrorKind::ConfigInvalid {
            // It was chosen a moment ago; a folder that cannot be read since has nothing to show.
            let file = wanted.choose().ok().and_then(|choice| choice.path);
            failure.0.diagnostics_uri = file.as_deref().map(uri::from_path);
        }
        failure
    })
}

async fn remember(client: &Arc<Client>, params: &PrepareParams, prepared: &Prepared) {
    let launches = &client.daemon.launches;
    launches.remember(&prepared.session_id, params.clone());
    let (daemon, target) = (client.daemon.clone(), prepared.target.clone());
    let remembered = apart(move || {
        daemon.saved.change(|memory| {
            memory.last_used.insert(target, crate::events::now());
        })
    });
    // The launch works without it.
    if let Err(error) = remembered.await {
        tracing::warn!("could not remember the target: {error}");
    }
}

fn result(plan: Plan, prepared: Prepared, wanted: &Wanted) -> PrepareResult {
    let mut warnings = prepared.warnings;
    warnings.extend(plan.warnings);
    PrepareResult {
        decision: plan.decision,
        reason: plan.reason,
        session_id: Some(prepared.session_id),
        expires_at: Some(prepared.expires_at),
        env: plan.env,
        program: None,
        argv: plan.argv,
        patch: plan.patch,
        local: plan.local,
        status_text: Some(prepared.target.clone()),
        target: Some(prepared.target),
        config: wanted.choose().ok().as_ref().map(choice_of),
        warnings,
    }
}

fn without_session(decision: Decision, reason: &str) -> PrepareResult {
    PrepareResult {
        decision,
        reason: reason.to_owned(),
        session_id: None,
        expires_at: None,
        env: Default::default(),
        program: None,
        argv: None,
        patch: Default::default(),
        local: Default::default(),
        target: None,
        config: None,
        warnings: Vec::new(),
        status_text: None,
    }
}
