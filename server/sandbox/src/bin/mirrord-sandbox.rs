//! The sandbox by itself, for this crate's tests and for working on it; people use
//! `mirrord-server sandbox`.

use std::path::PathBuf;
use std::process::ExitCode;

use mirrord_sandbox::{Isolation, Place, SandboxSpec, Sandboxes, run_role};

fn main() -> ExitCode {
    if let Some(status) = run_role(std::env::args_os()) {
        return ExitCode::from(u8::try_from(status).unwrap_or(1));
    }
    match command() {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("mirrord-sandbox: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn command() -> anyhow::Result<u8> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [folder, command @ ..] = words.as_slice() else {
        anyhow::bail!("{USAGE}")
    };
    let sandboxes = Sandboxes::new(PathBuf::from(folder), std::env::current_exe()?);
    match command {
        ["up", name, rest @ ..] => {
            let mut spec = SandboxSpec::new(*name);
            match rest {
                [] => {}
                ["--user-namespace"] => spec.isolation = Isolation::UserNamespace,
                _ => anyhow::bail!("{USAGE}"),
            }
            let sandbox = sandboxes.up(&spec)?;
            println!("{}", serde_json::to_string_pretty(sandbox.info())?);
        }
        ["down", name] => sandboxes.down(name)?,
        ["list"] => {
            for (info, state) in sandboxes.list()? {
                println!("{} {state:?} {}", info.name, info.target_pid);
            }
        }
        ["exec", name, place, argv @ ..] => {
            let place: Place = place.parse().map_err(anyhow::Error::msg)?;
            let status = sandboxes.find(name)?.exec_at(place, argv)?;
            return Ok(u8::try_from(status.code().unwrap_or(255))?);
        }
        _ => anyhow::bail!("{USAGE}"),
    }
    Ok(0)
}

const USAGE: &str = "usage: mirrord-sandbox FOLDER up NAME [--user-namespace] | down NAME | list | exec NAME PLACE PROGRAM…";
