//! What a session's programs have touched: each file, destination and port once, however often it
//! came. Kept apart from the ring of events, which forgets a program's start first.

use std::collections::{BTreeMap, BTreeSet};

use mirrord_protocol::event::{EventKind, Place};

/// More things are not told apart; how many came is counted.
const KEPT: usize = 10_000;

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    /// By path, and whether it was changed or opened for writing.
    pub files: BTreeMap<(String, bool), FileUse>,
    /// By protocol and destination; the rule that sent it to the pod.
    pub outgoing: BTreeMap<(String, String), String>,
    /// By the port in the pod.
    pub ports: BTreeMap<u16, PortUse>,
    /// Events that were lost, and things that there was no place for.
    pub missing: u64,
}

/// How a file was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileUse {
    /// Where it was, the last time.
    pub place: Place,
    /// The system calls.
    pub calls: BTreeSet<String>,
}

/// How a port was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortUse {
    /// `steal` or `mirror`.
    pub mode: String,
    /// The rule.
    pub rule: String,
    /// Connections that were handed to the program.
    pub clients: u64,
}

impl Touched {
    /// Takes note of an event. What was simply local needs no configuration.
    pub fn note(&mut self, kind: &EventKind) {
        match kind {
            EventKind::File {
                call,
                path,
                writes,
                place,
                rule,
                ..
            } if *place != Place::Local || rule.starts_with("fs.mapping") => {
                let path = match path.trim_end_matches('/') {
                    "" => "/",
                    path => path,
                };
                if let Some(file) = self.files.get_mut(&(path.to_owned(), *writes)) {
                    file.place = *place;
                    file.calls.insert(call.clone());
                } else if self.has_room() {
                    let (place, calls) = (*place, BTreeSet::from([call.clone()]));
                    let file = FileUse { place, calls };
                    self.files.insert((path.to_owned(), *writes), file);
                }
            }
            EventKind::Outgoing {
                protocol,
                to,
                place: Place::Remote,
                rule,
                ..
            } => {
                let key = (protocol.clone(), to.clone());
                if self.outgoing.contains_key(&key) || self.has_room() {
                    self.outgoing.insert(key, rule.clone());
                }
            }
            EventKind::Listen {
                port, mode, rule, ..
            } if mode != "off" => {
                let port = self.ports.entry(*port).or_insert_with(|| PortUse {
                    mode: String::new(),
                    rule: String::new(),
                    clients: 0,
                });
                port.mode.clone_from(mode);
                port.rule.clone_from(rule);
            }
            EventKind::Incoming { port, .. } => {
                if let Some(port) = self.ports.get_mut(port) {
                    port.clients += 1;
                }
            }
            EventKind::Dropped { count } => self.missing += count,
            _ => {}
        }
    }

    fn has_room(&mut self) -> bool {
        let room = self.files.len() + self.outgoing.len() < KEPT;
        if !room {
            self.missing += 1;
        }
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, writes: bool, place: Place) -> EventKind {
        EventKind::File {
            pid: 1,
            call: "openat".into(),
            path: path.into(),
            writes,
            place,
            rule: "fs.mode read".into(),
        }
    }

    #[test]
    fn each_thing_is_kept_once_and_local_ones_are_not() {
        let mut touched = Touched::default();
        for _ in 0..3 {
            touched.note(&file("/data/x", false, Place::Remote));
        }
        touched.note(&file("/data/", true, Place::Remote));
        touched.note(&file("/usr/lib/x", false, Place::Local));
        let paths: Vec<_> = touched.files.keys().cloned().collect();
        assert_eq!(paths, [("/data".into(), true), ("/data/x".into(), false)]);
        assert_eq!(touched.missing, 0);
    }

    #[test]
    fn what_there_is_no_room_for_is_counted() {
        let mut touched = Touched::default();
        for number in 0..KEPT + 7 {
            touched.note(&file(&format!("/data/{number}"), false, Place::Remote));
        }
        touched.note(&EventKind::Dropped { count: 5 });
        assert_eq!((touched.files.len(), touched.missing), (KEPT, 12));
    }
}
