//! `mirrord-server port-forward`.

use std::io::Write;

use anyhow::{Result, bail};
use mirrord_config::{Config, machine};
use mirrord_protocol::control::IncomingMode;
use mirrord_rules::{HttpFiltered, IncomingMode as Ruled};
use mirrord_supervisor::tell;

use crate::cli::PortForward;
use crate::cli::launch;
use crate::forward::{self, Forwards, Standing};

/// Forwards until a signal; the result is our exit status.
pub fn run(arguments: PortForward) -> Result<i32> {
    crate::roles::refuse_if_supervised()?;
    let flags = launch::flags(&arguments.place, arguments.incoming, None);
    let (config, target) = super::load(&arguments.place, &flags)?;
    let mode = match arguments.remote.is_empty() {
        true => IncomingMode::Mirror,
        false => mode(&config.config)?,
    };
    for (index, remote) in arguments.remote.iter().enumerate() {
        if arguments.remote[..index]
            .iter()
            .any(|other| other.port == remote.port)
        {
            bail!(
                "port {} of the pod is given twice; one -R is enough",
                remote.port
            );
        }
    }
    let incoming = !arguments.remote.is_empty();
    let cluster = crate::provider::ClusterTerms::of_network(&config, incoming);
    let forwards = Forwards {
        local: arguments.local,
        remote: arguments.remote,
        mode,
    };
    let json = arguments.json;
    let signal = super::with_signals(forward::run(target, cluster, forwards, |standing| {
        // Who does not want to know need not read.
        let mut out = std::io::stdout();
        let _ = writeln!(out, "{}", shown(standing, json)).and_then(|()| out.flush());
    }))?;
    Ok(128 + signal)
}

/// How the configuration wants ports to be taken.
fn mode(config: &Config) -> Result<IncomingMode> {
    let incoming = config.rule_source(&machine(None)).incoming;
    Ok(match incoming.mode {
        Ruled::Off => bail!(
            "`feature.network.incoming` is off, so no port of the pod can be taken; give --steal or \
             --mirror"
        ),
        Ruled::Steal if incoming.http_filtered != HttpFiltered::None => {
            tell(format_args!(
                "an HTTP filter is not served yet: the pod's clients are copied, not stolen"
            ));
            IncomingMode::Mirror
        }
        Ruled::Steal => IncomingMode::Steal,
        Ruled::Mirror => IncomingMode::Mirror,
    })
}

fn shown(standing: &Standing, json: bool) -> String {
    if json {
        return serde_json::to_string(standing).unwrap_or_default();
    }
    match standing {
        Standing::Local { listen, to } => {
            format!("{} -> {to} (from the pod)", listen.join(", "))
        }
        Standing::Remote { port, mode, to, by } => {
            format!("pod port {port} -> port {to} of this machine ({mode}, {by})")
        }
    }
}
