//! Commands of mirrord that have another name here, or no place: each is answered with one sentence
//! instead of "unrecognized".

use std::ffi::OsString;

/// Names, and what to do instead.
const TABLE: &[(&[&str], &str)] = &[
    (
        &["ext", "extension-exec"],
        "editors speak the protocol of `mirrord-server --stdio`; scripts use `session prepare`",
    ),
    (
        &["container", "container-ext"],
        "a local container joins a session by its launch configuration in the editor; a program \
         runs in one with `exec --target container/NAME`",
    ),
    (
        &["diagnose"],
        "use `doctor` for this machine, and `agent list` for the round trip to each agent",
    ),
    (
        &["list"],
        "use `targets` (or `ls`) for targets, and `session list` for sessions",
    ),
    (
        &["operator"],
        "there is no operator here: every session brings its own agent; see `session list` and \
         `agent list`",
    ),
    (
        &["teams", "waitlist", "subscription", "newsletter"],
        "there is no paid edition and nothing to sign up for; all that works is in `--help`",
    ),
    (
        &["vpn"],
        "this machine's own network is never changed; use `port-forward -L` for single \
         destinations, or `exec` for a program that needs all of the pod's network",
    ),
    (
        &["up"],
        "there are no files of several sessions; use `exec` or `session prepare` once for each",
    ),
    (
        &["ci"],
        "`exec` runs in continuous integration as anywhere, with no key or subscription; use \
         `session prepare` and `session stop` where start and end are separate steps",
    ),
    (
        &["fix"],
        "use `config verify`: it names each fault with its place, and the editor offers its repair",
    ),
    (
        &["wizard", "init"],
        "the editor makes a new configuration file and completes its keys; check one with `config \
         verify`",
    ),
    (
        &["db-branches", "branch"],
        "databases are not copied here; name one of your own by `feature.env.override`, and see \
         what counts with `explain --env NAME`",
    ),
    (
        &["preview"],
        "nothing is deployed into the cluster here; run the program on this machine with `exec`",
    ),
    (
        &["profile"],
        "profiles live in the cluster; keep the configuration in a file and name it with `exec \
         --config FILE`",
    ),
    (
        &["ui", "dashboard"],
        "sessions are shown in the editor; in a terminal use `session list` and `session events`",
    ),
    (
        &["attach"],
        "a running program cannot be taken into a session; start it anew with `exec`, or give it \
         what `session prepare` prints",
    ),
    (
        &["intproxy", "internal-proxy", "extproxy", "external-proxy"],
        "there is no such process: each session is one of `session list`, with its log in `session \
         logs`",
    ),
    (
        &["xpl", "sip", "extract"],
        "nothing has to be unpacked or patched on Linux; use `exec`",
    ),
];

/// What to say to these arguments; `None`: they may be a command of ours.
pub fn answer(mut arguments: impl Iterator<Item = OsString>) -> Option<String> {
    let command = arguments.next()?.into_string().ok()?;
    let (_, instead) = TABLE
        .iter()
        .find(|(names, _)| names.contains(&command.as_str()))?;
    Some(format!(
        "`{command}` is a command of mirrord and not here: {instead}"
    ))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// The commands of open-source mirrord, internal ones too.
    const MIRRORDS: &[&str] = &[
        "exec",
        "ext",
        "container",
        "container-ext",
        "verify-config",
        "ls",
        "dump",
        "port-forward",
        "diagnose",
        "teams",
        "vpn",
        "operator",
        "completions",
        "newsletter",
        "ci",
        "up",
        "fix",
        "wizard",
        "db-branches",
        "preview",
        "profile",
        "ui",
        "session",
        "attach",
        "intproxy",
        "extproxy",
        "extension-exec",
        "internal-proxy",
        "external-proxy",
    ];

    fn ours() -> Vec<String> {
        let cli = crate::cli::Cli::command();
        let names = |command: &clap::Command| {
            let aliases = command.get_all_aliases().map(str::to_owned);
            aliases
                .chain([command.get_name().to_owned()])
                .collect::<Vec<_>>()
        };
        cli.get_subcommands().flat_map(names).collect()
    }

    #[test]
    fn every_command_of_mirrord_is_there_or_answered_with_one_that_is() {
        let ours = ours();
        for command in MIRRORDS {
            let here = ours.iter().any(|name| name == command);
            let answer = answer([OsString::from(command)].into_iter());
            assert!(here != answer.is_some(), "{command}: {here}, {answer:?}");
        }
        for (names, instead) in TABLE {
            for name in *names {
                assert!(!ours.iter().any(|own| own == name), "{name} is ours");
            }
            // What stands in backticks and begins with a command's name must be one.
            let mut quoted = instead.split('`').skip(1).step_by(2);
            let known = |text: &str| {
                let word = text.split(' ').next().unwrap_or_default();
                ours.iter().any(|name| name == word) || word == "--help" || word == "mirrord-server"
            };
            assert!(quoted.any(known), "{names:?} are sent nowhere: {instead}");
            assert!(!instead.contains(". "), "one sentence: {instead}");
        }
    }

    #[test]
    fn other_words_are_left_to_the_command_line() {
        for words in [&["exec"][..], &["exek"], &["--log", "debug", "ls"], &[]] {
            assert_eq!(answer(words.iter().map(OsString::from)), None);
        }
    }
}
