//! Changing one rule of a running session. Rules about paths and hosts are compiled anew and put
//! in force by the supervisor and the layer; a port is taken in the other way at once.

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use mirrord_protocol::local::ToSupervisor;
use mirrord_protocol::session_control::{
    ConfigEdit, PathPlace, PortMode, RuleChange, SessionAnswer,
};
use mirrord_rules::{Changed, IncomingMode, RuleSource, Side, choose_host, choose_path};
use tokio::sync::oneshot;

use super::control::Answered;
use super::listeners::mode_name;
use super::orders::reply;
use super::parts::Parts;
use super::refusal;

/// The supervisor only reads a few kilobytes.
const IN_FORCE_WITHIN: Duration = Duration::from_secs(5);

const PATHS_STAY: &str = "files that are open, and working directories, stay where they are";
const HOSTS_STAY: &str = "connections that stand stay as they are; names are looked up as before";
const PORTS_STAY: &str = "connections that stand stay as they are";

/// The rules as they are now, and the file through which the supervisor gets others.
pub struct RuleBook {
    source: RuleSource,
    file: File,
    end: u64,
    last_number: u64,
    waiting: HashMap<u64, oneshot::Sender<Result<(), String>>>,
}

impl RuleBook {
    /// The rules at the start go into the file, which the supervisor has.
    pub fn new(source: RuleSource, file: OwnedFd, block: &[u8]) -> Result<Self> {
        let file = File::from(file);
        let what = "could not write the rules into shared memory";
        file.write_all_at(block, 0).context(what)?;
        Ok(RuleBook {
            source,
            file,
            end: block.len() as u64,
            last_number: 0,
            waiting: HashMap::new(),
        })
    }

    /// The rules as they are now.
    pub fn source(&self) -> &RuleSource {
        &self.source
    }

    /// Other rules, behind those that are there; the order for the supervisor, and its answer.
    fn put(
        &mut self,
        changed: &Changed,
    ) -> Result<(ToSupervisor, oneshot::Receiver<Result<(), String>>)> {
        let block = changed.block.as_bytes();
        let len = u32::try_from(block.len()).context("the rules are too long")?;
        self.file
            .write_all_at(block, self.end)
            .context("could not write the rules into shared memory")?;
        self.last_number += 1;
        let order = ToSupervisor::Rules {
            number: self.last_number,
            offset: self.end,
            len,
        };
        self.end += u64::from(len);
        let (done_tx, done_rx) = oneshot::channel();
        self.waiting.insert(self.last_number, done_tx);
        Ok((order, done_rx))
    }

    /// The supervisor answered.
    pub fn in_force(&mut self, number: u64, result: Result<(), String>) {
        // Whoever asked may have gone away.
        if let Some(done_tx) = self.waiting.remove(&number) {
            let _ = done_tx.send(result);
        }
    }
}

impl Parts {
    /// Changes one, and answers when it is in force.
    pub async fn change_rule(&mut self, change: RuleChange, answer_tx: oneshot::Sender<Answered>) {
        if let RuleChange::Port { port, mode } = change {
            let edit = port_edit(&self.rules.source, port, mode);
            let listeners = self.listeners.clone();
            tokio::spawn(async move {
                let chosen = listeners.choose(port, mode).await;
                let answer = chosen.map_err(|error| wrong(&error)).map(|()| edit);
                reply(answer_tx, answer);
            });
            return;
        }
        match self.decide_otherwise(&change).await {
            Ok((answer, done_rx)) => {
                tokio::spawn(async move {
                    let done = tokio::time::timeout(IN_FORCE_WITHIN, done_rx).await;
                    let done = match done {
                        Ok(Ok(Ok(()))) => Ok(answer),
                        Ok(Ok(Err(error))) => Err(wrong(&error)),
                        Ok(Err(_)) => Err(wrong("the session is ending")),
                        Err(_) => Err(wrong("the session's supervisor did not take the rule")),
                    };
                    reply(answer_tx, done);
                });
            }
            Err(error) => reply(answer_tx, Err(wrong(&format!("{error:#}")))),
        }
    }

    async fn decide_otherwise(
        &mut self,
        change: &RuleChange,
    ) -> Result<(SessionAnswer, oneshot::Receiver<Result<(), String>>)> {
        let source = &self.rules.source;
        let (changed, stays) = match change {
            RuleChange::Path { path, place } => {
                let place = match place {
                    PathPlace::Local => mirrord_rules::PathPlace::Local,
                    PathPlace::Remote => mirrord_rules::PathPlace::Remote { writable: false },
                    PathPlace::RemoteWrite => mirrord_rules::PathPlace::Remote { writable: true },
                    PathPlace::NotFound => mirrord_rules::PathPlace::NotFound,
                };
                let writes = matches!(place, mirrord_rules::PathPlace::Remote { writable: true });
                if writes && !self.may_write {
                    bail!(
                        "no rule of the session writes in the pod, so its files are mounted for \
                         reading; add the path to `feature.fs.read_write` and restart it"
                    );
                }
                (choose_path(source, path, place)?, PATHS_STAY)
            }
            RuleChange::Host { host, port, remote } => {
                let side = if *remote { Side::Remote } else { Side::Local };
                (choose_host(source, host, *port, side)?, HOSTS_STAY)
            }
            RuleChange::Port { .. } => bail!("a port is no rule of the supervisor's"),
        };
        let (order, done_rx) = self.rules.put(&changed)?;
        self.supervisor.send(&order).await?;
        let mut note = vec![stays.to_owned()];
        if !changed.also.is_empty() {
            note.push(format!(
                "in the configuration also {}",
                changed.also.join(", ")
            ));
        }
        let edit = ConfigEdit {
            path: changed.key.iter().map(|&key| key.to_owned()).collect(),
            value: serde_json::to_value(&changed.value)?,
        };
        self.rules.source = changed.source;
        Ok((answer(edit, note), done_rx))
    }
}

/// What keeps a port's mode. A file knows one mode for all ports that are taken.
fn port_edit(source: &RuleSource, port: u16, mode: PortMode) -> SessionAnswer {
    let incoming = &source.incoming;
    let (key, value, note) = if mode == PortMode::Off {
        let mut ports = incoming.ignore_ports.clone();
        if !ports.contains(&port) {
            ports.push(port);
        }
        ("ignore_ports", serde_json::json!(ports), None)
    } else {
        let listed = match incoming.mode {
            IncomingMode::Steal => PortMode::Steal,
            IncomingMode::Mirror => PortMode::Mirror,
            IncomingMode::Off => PortMode::Off,
        };
        let others = incoming.ignore_ports.iter();
        let others: Vec<u16> = others.copied().filter(|other| *other != port).collect();
        if listed == mode && others.len() != incoming.ignore_ports.len() {
            ("ignore_ports", serde_json::json!(others), None)
        } else {
            let note = "in the configuration the mode is for all ports that are taken (`ports` \
                        and `ignore_ports` say which)";
            ("mode", serde_json::json!(mode_name(mode)), Some(note))
        }
    };
    let path = ["feature", "network", "incoming", key].map(str::to_owned);
    let path = path.to_vec();
    let note = [PORTS_STAY].into_iter().chain(note).map(str::to_owned);
    answer(ConfigEdit { path, value }, note.collect())
}

fn answer(edit: ConfigEdit, note: Vec<String>) -> SessionAnswer {
    let note = Some(note.join("; "));
    SessionAnswer::Rule { edit, note }
}

fn wrong(text: &str) -> mirrord_protocol::session_control::SessionError {
    refusal::plain("request", text)
}
