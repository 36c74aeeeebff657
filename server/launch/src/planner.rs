//! From a launch to its plan: what is left alone, what is refused, what is changed.

use std::collections::BTreeMap;

use mirrord_editor_protocol::launch::{
    ArgvChange, Decision, EnvChanges, JetBrainsPatch, Launch, LocalParts, Patch, PatchOperation,
};
use serde_json::{Map, Value};

use crate::{
    PRELOAD, STAND_FOR, SUPERVISOR, TOKEN,
    adapter::{Adapter, Front, Serve},
    container, environment,
    facts::{ExecutableFacts, Facts, FileType},
    front::{self, Wanted},
    launch::{Injection, adapter_type, attaches, object},
    outside, patch,
    plan::{Plan, Refusal},
    ports, preload, table,
};

/// Plans `launch` for the session that `injection` describes.
pub fn plan(launch: &Launch, facts: &Facts, injection: &Injection) -> Result<Plan, Refusal> {
    if attaches(launch) {
        return Ok(Plan::skip(
            "it attaches to a program that runs already: to debug inside the session, attach to \
             one that was started in it",
        ));
    }
    let Some(adapter) = table::find(launch) else {
        let mut plan = change(&table::UNKNOWN, launch, facts, injection)?;
        plan.warnings.push(format!(
            "the debugger {:?} is not known here; its variables were put into `env`, as most \
             debuggers read them. If no process appears in the session, they were not read",
            adapter_type(launch)
        ));
        return Ok(plan);
    };
    match adapter.serve {
        Serve::Yes => change(adapter, launch, facts, injection),
        Serve::Skip(reason) => Ok(Plan::skip(reason)),
        Serve::Refuse(why, help) => Err(Refusal::new(why, help)),
    }
}

/// The file whose loader decides how the program is reached: [`Facts::executable`] is about it.
/// A path or a name to be looked for in `PATH`; `None` where it makes no difference.
pub fn subject(launch: &Launch) -> Option<String> {
    let adapter = table::find(launch).unwrap_or(&table::UNKNOWN);
    if matches!(adapter.front, Front::Debugger { .. }) || adapter.serve != Serve::Yes {
        return None;
    }
    executable(adapter, launch, &clean(adapter, launch))
}

fn change(
    adapter: &Adapter,
    launch: &Launch,
    facts: &Facts,
    injection: &Injection,
) -> Result<Plan, Refusal> {
    let mut raw = clean(adapter, launch);
    let executable = executable(adapter, launch, &raw);
    outside::check(launch, executable.as_deref())?;
    if let Some(program) = &executable {
        let (command, arguments) = command_line(adapter, launch, &raw, program);
        if let Some(answer) = container::answer(&command, &arguments, injection) {
            return match answer? {
                container::Answer::Skip(reason) => Ok(Plan::skip(reason)),
                container::Answer::Arguments(arguments) => {
                    contained(adapter, launch, raw, &command, arguments)
                }
            };
        }
    }
    let wanted = launcher_needed(adapter, facts.executable.as_ref())?;

    let present = raw.get(adapter.env);
    let user_preload = environment::get(present, PRELOAD)
        .or_else(|| launch.env.get(PRELOAD).cloned().flatten())
        .or_else(|| facts.env_file.get(PRELOAD).cloned())
        .or_else(|| facts.inherited_preload.clone());
    let preload = preload::merged(&injection.layer, user_preload.as_deref());
    let mut set: BTreeMap<String, String> = [
        (PRELOAD, preload),
        (SUPERVISOR, injection.socket.clone()),
        (TOKEN, injection.token.clone()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let neutral = EnvChanges {
        set: set.clone(),
        unset: injection.unset.clone(),
    };
    if launch.raw.is_some() {
        if let Some(wanted) = &wanted {
            let stands_for = front::apply(adapter, &mut raw, injection, wanted)?;
            set.extend(stands_for.map(|debugger| (STAND_FOR.to_owned(), debugger)));
        }
        let new = environment::changed(adapter, raw.get(adapter.env), &set, &injection.unset);
        raw.insert(adapter.env.to_owned(), new);
    } else if let Some(wanted) = &wanted {
        // Without the raw configuration only a prefix is possible.
        match adapter.front {
            Front::Gdb(_) => {
                return Err(front::nowhere(
                    wanted,
                    "use an editor that sends its whole launch configuration (`raw`)",
                ));
            }
            Front::Nowhere(other) => return Err(front::nowhere(wanted, other)),
            Front::Fields { .. } | Front::List(_) | Front::Debugger { .. } => {}
        }
    }
    let prefixed = wanted.is_some() && !matches!(adapter.front, Front::Gdb(_));
    let prefix = match prefixed {
        true => injection.prefix(),
        false => Vec::new(),
    };
    Ok(Plan {
        decision: Decision::Inject,
        reason: reason(adapter, wanted.as_ref().map(|wanted| &*wanted.why)),
        argv: prefixed.then(|| ArgvChange {
            prefix: prefix.clone(),
            args: None,
        }),
        patch: Patch {
            vscode: difference(launch, &raw),
            jetbrains: Some(jetbrains(adapter, launch, &neutral, prefix)),
        },
        env: neutral,
        local: LocalParts {
            ports: ports::of(adapter, launch),
            processes: adapter
                .helpers
                .iter()
                .map(|name| (*name).to_owned())
                .collect(),
        },
        warnings: Vec::new(),
    })
}

/// The raw configuration as the user wrote it.
fn clean(adapter: &Adapter, launch: &Launch) -> Map<String, Value> {
    let mut raw = object(launch).cloned().unwrap_or_default();
    front::undo(adapter, &mut raw);
    raw
}

fn executable(adapter: &Adapter, launch: &Launch, raw: &Map<String, Value>) -> Option<String> {
    let named = |name: &&str| match raw.get(*name)? {
        Value::String(name) => Some(name.clone()),
        Value::Array(words) => words.first()?.as_str().map(str::to_owned),
        _ => None,
    };
    let neutral = match adapter.default_executable {
        Some(_) => launch.runtime.clone(),
        None => launch.runtime.clone().or_else(|| launch.program.clone()),
    };
    adapter
        .executable
        .iter()
        .find_map(named)
        .or(neutral)
        .or_else(|| adapter.default_executable.map(str::to_owned))
        .filter(|name| !name.is_empty())
}

/// The command and its arguments, where a configuration has them apart or in one line.
fn command_line(
    adapter: &Adapter,
    launch: &Launch,
    raw: &Map<String, Value>,
    program: &str,
) -> (String, Vec<String>) {
    let words =
        |text: &str| -> Vec<String> { text.split_whitespace().map(str::to_owned).collect() };
    let mut command = words(program);
    if program.contains('/') || command.is_empty() {
        command = vec![program.to_owned()];
    }
    let mut arguments = command.split_off(1);
    let told = match adapter.front {
        Front::Fields { arguments, .. } => raw.get(arguments),
        _ => None,
    };
    match told {
        Some(Value::Array(items)) => {
            arguments.extend(items.iter().filter_map(Value::as_str).map(str::to_owned));
        }
        Some(Value::String(line)) => arguments.extend(words(line)),
        _ if launch.raw.is_none() => arguments.extend(launch.args.iter().flatten().cloned()),
        _ => {}
    }
    (command.remove(0), arguments)
}

/// A container command with our options: its client on this machine is left alone.
fn contained(
    adapter: &Adapter,
    launch: &Launch,
    mut raw: Map<String, Value>,
    command: &str,
    arguments: Vec<String>,
) -> Result<Plan, Refusal> {
    if let Front::Fields {
        executable,
        arguments: field,
    } = adapter.front
    {
        // In one line of shell text our options would have to be quoted into the user's.
        let alone = raw.get(executable).and_then(Value::as_str) == Some(command);
        let apart = matches!(raw.get(field), None | Some(Value::Array(_)));
        if launch.raw.is_some() && !(alone && apart) {
            return Err(Refusal::new(
                format!("`{command} run` stands in one line of text, which is not changed"),
                format!(
                    "write the command and its arguments apart, as `{executable}` and a list in `{field}`"
                ),
            ));
        }
        raw.insert(field.to_owned(), arguments.clone().into());
    }
    Ok(Plan {
        decision: Decision::Inject,
        reason: format!(
            "the container of `{command} run` is given the session's variables, its library and its socket"
        ),
        env: EnvChanges::default(),
        argv: Some(ArgvChange {
            prefix: Vec::new(),
            args: Some(arguments.clone()),
        }),
        patch: Patch {
            vscode: difference(launch, &raw),
            jetbrains: Some(JetBrainsPatch {
                args: Some(arguments),
                ..JetBrainsPatch::default()
            }),
        },
        local: LocalParts::default(),
        warnings: vec![
            "the image needs a glibc at least as new as the one that the session's library is \
             built for (images with musl are not reached), and the engine must run its processes \
             as your user (rootless Podman does)"
                .to_owned(),
        ],
    })
}

/// Why the launcher must stand in front; `None` when the preload reaches the program.
fn launcher_needed(
    adapter: &Adapter,
    executable: Option<&ExecutableFacts>,
) -> Result<Option<Wanted>, Refusal> {
    const DELVE: &str = "debug Go programs with delve (`\"type\": \"go\"`)";
    if matches!(adapter.front, Front::Debugger { .. }) {
        return Ok(Some(Wanted {
            why: "Go programs are static".to_owned(),
            instead: DELVE,
        }));
    }
    let Some(facts) = executable else {
        return Ok(None);
    };
    let path = &facts.path;
    if facts.setuid {
        return Err(Refusal::new(
            format!(
                "{path} changes its user or its rights when it starts, and the kernel gives such programs no preload"
            ),
            "take the set-user-id bit or the capabilities from a copy of it, and run that",
        ));
    }
    if let FileType::OtherMachine(machine) = &facts.file {
        return Err(Refusal::new(
            format!("{path} is built for {machine}, not for this machine's processor"),
            "build it for this machine",
        ));
    }
    if facts.needs_launcher() {
        let (how, instead) = match facts.file {
            FileType::Static if facts.go => ("is static, so a preload does not reach it", DELVE),
            FileType::Static => (
                "is static, so a preload does not reach it",
                "link it dynamically for debugging (leave `-static` out; in Rust \
                 `-C target-feature=-crt-static`)",
            ),
            _ => (
                "is loaded by musl, which our library is not built for",
                "build it for glibc for debugging (in Rust a `-gnu` target)",
            ),
        };
        let why = format!("{path} {how}");
        return Ok(Some(Wanted { why, instead }));
    }
    // With its environment on its stack it would be executed once more, which a debugger that
    // counts the executions of its program does not survive.
    let counts = matches!(adapter.front, Front::Gdb(_));
    Ok((facts.go && counts).then(|| Wanted {
        why: format!("{path} is a Go program"),
        instead: DELVE,
    }))
}

fn reason(adapter: &Adapter, wanted: Option<&str>) -> String {
    match wanted {
        None => "the layer is preloaded into the program".to_owned(),
        Some(why) => match adapter.front {
            Front::Debugger { default, .. } => {
                format!(
                    "{why}: the launcher stands in front of {default}, and its program inherits"
                )
            }
            _ => format!("{why}: the launcher stands in front of it"),
        },
    }
}

fn jetbrains(
    adapter: &Adapter,
    launch: &Launch,
    env: &EnvChanges,
    prefix: Vec<String>,
) -> JetBrainsPatch {
    let mut patch = JetBrainsPatch {
        env: env.set.clone(),
        unset: env.unset.clone(),
        ..JetBrainsPatch::default()
    };
    if let Some((launcher, words)) = prefix.split_first() {
        let default = match adapter.front {
            Front::Debugger { default, .. } => Some(default),
            _ => adapter.default_executable,
        };
        let program = launch.runtime.clone().or_else(|| launch.program.clone());
        patch.exe = Some(launcher.clone());
        patch.prepend_args = words.to_vec();
        patch
            .prepend_args
            .extend(program.or_else(|| default.map(str::to_owned)));
    }
    patch
}

fn difference(launch: &Launch, raw: &Map<String, Value>) -> Option<Vec<PatchOperation>> {
    object(launch).map(|before| patch::between(before, raw))
}
