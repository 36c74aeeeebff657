//! Launches that start a container of this machine: `docker run`, `podman run`. The container
//! is given the variables, the layer and the session's socket; everything else that has to do with
//! containers is refused, or left alone, in words.

use crate::{
    PRELOAD, SUPERVISOR, TOKEN, launch::Injection, outside::file_name, plan::Refusal, preload,
};

/// What a container command comes to.
pub(crate) enum Answer {
    /// Its arguments anew.
    Arguments(Vec<String>),
    /// Nothing of the user's runs in it; why.
    Skip(String),
}

const ENGINES: &[&str] = &["docker", "podman", "nerdctl"];
const COMPOSERS: &[&str] = &["docker-compose", "podman-compose"];

/// Options of the engine's own, before the command, that take a value.
const WITH_VALUE: &[&str] = &[
    "--config",
    "--log-level",
    "-l",
    "--root",
    "--runroot",
    "--storage-driver",
    "--storage-opt",
    "--cgroup-manager",
    "--runtime",
    "--tmpdir",
    "--network-config-dir",
    "--network-cmd-path",
    "--events-backend",
    "--hooks-dir",
    "--imagestore",
    "--module",
    "--conmon",
    "--tlscacert",
    "--tlscert",
    "--tlskey",
    "--snapshotter",
    "--data-root",
    "--cni-path",
    "--cni-netconfpath",
    "--namespace",
    "-n",
];
/// Options that send the command to an engine elsewhere.
const ELSEWHERE: &[&str] = &[
    "--context",
    "-c",
    "--host",
    "-H",
    "--url",
    "--connection",
    "--remote",
    "-r",
    "--address",
    "-a",
];

/// `None`: no container command.
pub(crate) fn answer(
    program: &str,
    arguments: &[String],
    injection: &Injection,
) -> Option<Result<Answer, Refusal>> {
    let name = file_name(program);
    if COMPOSERS.contains(&name) {
        return Some(Err(compose(name)));
    }
    ENGINES
        .contains(&name)
        .then(|| engine(name, arguments, injection))
}

fn engine(name: &str, arguments: &[String], injection: &Injection) -> Result<Answer, Refusal> {
    let Some(command) = command(name, arguments)? else {
        return Ok(Answer::Skip(format!(
            "`{name}` without a command starts no program"
        )));
    };
    match arguments[command].as_str() {
        "run" => {
            let (before, options) = arguments.split_at(command + 1);
            run(name, before, options, injection).map(Answer::Arguments)
        }
        "compose" => Err(compose("compose")),
        "exec" | "start" | "restart" | "create" => Err(Refusal::new(
            format!(
                "`{name} {}` uses a container whose mounts are fixed, and the session's library \
                 is not in it",
                arguments[command]
            ),
            format!("start the program with `{name} run`, or run it without a container"),
        )),
        other => Ok(Answer::Skip(format!(
            "`{name} {other}` runs no program of yours"
        ))),
    }
}

/// Where the command's word is: `docker --config x container run` → 3.
fn command(name: &str, arguments: &[String]) -> Result<Option<usize>, Refusal> {
    let mut at = 0;
    while let Some(word) = arguments.get(at) {
        let option = word.split('=').next().unwrap_or(word);
        if ELSEWHERE.contains(&option) {
            return Err(Refusal::new(
                format!("`{name} {option}` may run the container on another machine"),
                format!("use this machine's {name}"),
            ));
        }
        match word.as_str() {
            "container" => at += 1,
            _ if WITH_VALUE.contains(&word.as_str()) => at += 2,
            _ if word.starts_with('-') => at += 1,
            _ => return Ok(Some(at)),
        }
    }
    Ok(None)
}

fn run(
    name: &str,
    before: &[String],
    options: &[String],
    injection: &Injection,
) -> Result<Vec<String>, Refusal> {
    let mut options = without_ours(options, injection);
    let mut ours = Vec::new();
    // A later `-e` wins over an earlier one, so the user's own list is changed where it stands.
    if !merge_preload(&mut options, &injection.layer) {
        ours.extend(["-e".to_owned(), format!("{PRELOAD}={}", injection.layer)]);
    }
    for (variable, value) in [(SUPERVISOR, &injection.socket), (TOKEN, &injection.token)] {
        ours.extend(["-e".to_owned(), format!("{variable}={value}")]);
    }
    for mount in mounts(injection) {
        ours.extend(["-v".to_owned(), mount]);
    }
    match network(&options) {
        None => ours.push("--network=host".to_owned()),
        Some("host") => {}
        Some(other) => {
            return Err(Refusal::new(
                format!(
                    "`{name} run` with the network {other:?}: connections of the session are on \
                     this machine's loopback, which that network does not have"
                ),
                "use `--network=host`; the program's network is the pod's anyway",
            ));
        }
    }
    Ok([before, &ours, &options].concat())
}

fn mounts(injection: &Injection) -> [String; 2] {
    let folder = injection.socket.rsplit_once('/').map_or("/", |(at, _)| at);
    [
        format!("{0}:{0}:ro", injection.layer),
        format!("{folder}:{folder}"),
    ]
}

/// The options as the user wrote them: ours stand in front, in the order in which [`run`] writes.
fn without_ours(options: &[String], injection: &Injection) -> Vec<String> {
    let mut rest = options;
    let mut sockets = None;
    let mut seen = false;
    while let [first, second, after @ ..] = rest {
        let library = file_name(&injection.layer);
        let ours = match (first.as_str(), second.split_once('=')) {
            // Behind the socket's variable it would be the user's own.
            ("-e", Some((PRELOAD, value))) if !seen => {
                value.split(':').any(|one| file_name(one) == library)
            }
            ("-e", Some((SUPERVISOR, socket))) => {
                sockets = socket.rsplit_once('/').map(|(folder, _)| folder);
                seen = true;
                true
            }
            ("-e", Some((TOKEN, _))) => true,
            ("-v", _) if seen => {
                let at = second.split(':').next().unwrap_or_default();
                file_name(at) == library || Some(at) == sockets
            }
            _ => false,
        };
        if !ours {
            break;
        }
        rest = after;
    }
    match rest {
        [network, after @ ..] if seen && network == "--network=host" => after.to_vec(),
        _ => rest.to_vec(),
    }
}

/// Changes the user's own `LD_PRELOAD`; says whether there is one.
fn merge_preload(options: &mut [String], layer: &str) -> bool {
    let start = format!("{PRELOAD}=");
    let mut found = false;
    for at in 0..options.len() {
        let after = at > 0 && matches!(options[at - 1].as_str(), "-e" | "--env");
        let heads = ["--env=", "-e", ""];
        let head = heads.iter().find(|head| match **head {
            "" => after && options[at].starts_with(&start),
            head => options[at]
                .strip_prefix(head)
                .is_some_and(|rest| rest.starts_with(&start)),
        });
        if let Some(head) = head {
            let value = &options[at][head.len() + start.len()..];
            options[at] = format!("{head}{start}{}", preload::merged(layer, Some(value)));
            found = true;
        }
    }
    found
}

fn network(options: &[String]) -> Option<&str> {
    let names = ["--network", "--net"];
    options.iter().enumerate().find_map(|(at, word)| {
        if names.contains(&word.as_str()) {
            return options.get(at + 1).map(String::as_str);
        }
        let (name, value) = word.split_once('=')?;
        names.contains(&name).then_some(value)
    })
}

fn compose(name: &str) -> Refusal {
    Refusal::new(
        format!(
            "`{name}` starts containers from a file that cannot be given mounts on the command \
             line, and nothing is written into your files"
        ),
        "start the service's image with `docker run` or `podman run`, or run the program itself",
    )
}
