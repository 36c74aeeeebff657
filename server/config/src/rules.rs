//! From the configuration to the rules of `mirrord-rules`, and the way back from a wrong pattern
//! to the place it was written at.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use mirrord_rules::{
    AddressFilter, AlignedBlock, CompileError, DnsSource, FsSource, Host, HttpFiltered,
    IncomingSource, Machine, OutgoingSource, RuleSource, Side, compile,
};

use crate::config::Config;
use crate::config::fs::FsMode;
use crate::config::incoming::IncomingMode;
use crate::problem::{Code, ConfigErrors, Problem};
use crate::reader::inner_place;
use crate::setting::Setting;

impl Config {
    /// The rules of this configuration on this machine.
    pub fn rule_source(&self, machine: &Machine) -> RuleSource {
        let fs = &self.feature.fs;
        let network = &self.feature.network;
        let mut mapping = fs.mapping.value.values();
        if self.feature.magic.aws.value {
            mapping.extend(aws_mapping(machine));
        }
        let outgoing = &network.outgoing;
        let incoming = &network.incoming;
        let http = &incoming.http_filter;
        RuleSource {
            fs: FsSource {
                mode: match fs.mode.value {
                    FsMode::Local => mirrord_rules::FsMode::Local,
                    FsMode::LocalWithOverrides => mirrord_rules::FsMode::LocalWithOverrides,
                    FsMode::Read => mirrord_rules::FsMode::Read,
                    FsMode::Write => mirrord_rules::FsMode::Write,
                },
                read_write: fs.read_write.value.values(),
                read_only: fs.read_only.value.values(),
                local: fs.local.value.values(),
                not_found: fs.not_found.value.values(),
                mapping,
            },
            outgoing: OutgoingSource {
                tcp: outgoing.tcp.value,
                udp: outgoing.udp.value,
                ignore_localhost: outgoing.ignore_localhost.value,
                filter: outgoing
                    .filter
                    .value
                    .as_ref()
                    .map(|filter| (filter.side, filter.filters.values())),
                unix_streams: outgoing.unix_streams.value.values(),
            },
            incoming: IncomingSource {
                mode: match incoming.mode.value.0 {
                    IncomingMode::Mirror => mirrord_rules::IncomingMode::Mirror,
                    IncomingMode::Steal => mirrord_rules::IncomingMode::Steal,
                    IncomingMode::Off => mirrord_rules::IncomingMode::Off,
                },
                ports: incoming.ports.value.as_ref().map(|ports| ports.values()),
                ignore_ports: incoming.ignore_ports.value.values(),
                ignore_localhost: incoming.ignore_localhost.value,
                port_mapping: incoming.port_mapping.value.0.clone(),
                listen_ports: incoming.listen_ports.value.0.clone(),
                http_filtered: match (http.first(), &http.ports.value) {
                    (None, _) => HttpFiltered::None,
                    (Some(_), None) => HttpFiltered::All,
                    (Some(_), Some(ports)) => HttpFiltered::Ports(ports.values()),
                },
            },
            dns: DnsSource {
                enabled: network.dns.enabled.value,
                filter: self.dns_filter(),
            },
            machine: machine.clone(),
        }
    }

    /// The compiled rules for programs started by this process in its working directory.
    pub fn compiled_rules(&self) -> Result<AlignedBlock, ConfigErrors> {
        self.compiled_rules_for(&machine(None))
    }

    /// The compiled rules for a program started in such surroundings.
    pub fn compiled_rules_for(&self, machine: &Machine) -> Result<AlignedBlock, ConfigErrors> {
        match compile(&self.rule_source(machine)) {
            Ok(block) => Ok(AlignedBlock::new(&block)),
            Err(error) => Err(ConfigErrors(vec![self.explain(&error)])),
        }
    }

    /// `dns.filter`; the names of `outgoing.filter` are resolved on the side they are called on.
    fn dns_filter(&self) -> Option<(Side, Vec<String>)> {
        let own = self.feature.network.dns.filter.value.as_ref();
        let own = own.map(|filter| (filter.side, filter.filters.values()));
        let outgoing = self.feature.network.outgoing.filter.value.as_ref();
        let Some(outgoing) = outgoing.filter(|_| self.feature.network.dns.enabled.value) else {
            return own;
        };
        let names: Vec<String> = outgoing
            .filters
            .values()
            .iter()
            .filter_map(|filter| filter.parse::<AddressFilter>().ok())
            .filter_map(|filter| match (filter.host, filter.port) {
                (Host::Name(name), 0) => Some(name),
                (Host::Name(name), port) => Some(format!("{name}:{port}")),
                _ => None,
            })
            .collect();
        match (own, outgoing.side) {
            (Some((side, mut filters)), same) if side == same => {
                filters.extend(
                    names
                        .into_iter()
                        .filter(|name| !filters.contains(name))
                        .collect::<Vec<_>>(),
                );
                Some((side, filters))
            }
            // With everything resolved in the target anyhow, only local names need saying.
            (None, Side::Local) if !names.is_empty() => Some((Side::Local, names)),
            (own, _) => own,
        }
    }

    /// A wrong pattern as a problem, at the place it was written at.
    pub(crate) fn explain(&self, error: &CompileError) -> Problem {
        let setting = self.listed(error.list, error.index);
        let place = setting.and_then(|setting| match &error.range {
            Some(range) => inner_place(setting, range),
            None => setting.origin.place().cloned(),
        });
        let origin = setting.map(|setting| setting.origin.to_string());
        let message = match (&place, origin) {
            (None, Some(origin)) => {
                format!(
                    "{} `{}` (from {origin}): {}",
                    error.list, error.pattern, error.reason
                )
            }
            _ => format!("{}: {}", error.list, error.reason),
        };
        let code = match error.list.contains(".filter") {
            true => Code::BadFilter,
            false => Code::BadPattern,
        };
        Problem::error(code, message).at(place)
    }

    fn listed(&self, list: &str, index: usize) -> Option<&Setting<String>> {
        let fs = &self.feature.fs;
        let network = &self.feature.network;
        match list {
            "feature.fs.read_write" => fs.read_write.value.0.get(index),
            "feature.fs.read_only" => fs.read_only.value.0.get(index),
            "feature.fs.local" => fs.local.value.0.get(index),
            "feature.fs.not_found" => fs.not_found.value.0.get(index),
            "feature.fs.mapping" => fs.mapping.value.0.get(index).map(|(pattern, _)| pattern),
            "feature.network.outgoing.unix_streams" => {
                network.outgoing.unix_streams.value.0.get(index)
            }
            "feature.network.outgoing.filter.local" | "feature.network.outgoing.filter.remote" => {
                network.outgoing.filter.value.as_ref()?.filters.0.get(index)
            }
            "feature.network.dns.filter.local" | "feature.network.dns.filter.remote" => {
                network.dns.filter.value.as_ref()?.filters.0.get(index)
            }
            _ => None,
        }
    }
}

/// The facts of this machine for a program that this process starts in its working directory.
pub fn machine(program: Option<&Path>) -> Machine {
    let bytes = |text: OsString| text.into_vec();
    Machine {
        home: std::env::var_os("HOME").map(bytes),
        working_directory: std::env::current_dir()
            .ok()
            .map(|path| bytes(path.into_os_string())),
        executable: program.map(|path| bytes(path.as_os_str().to_owned())),
        tools: Vec::new(),
        temporary_directory: Some(bytes(std::env::temp_dir().into_os_string())),
    }
}

/// `~/.aws` leads to a directory that is not there, so that the AWS libraries do not find the
/// developer's own credentials.
fn aws_mapping(machine: &Machine) -> Option<(String, String)> {
    let home = std::str::from_utf8(machine.home.as_deref()?)
        .ok()?
        .trim_end_matches('/');
    let temporary = machine.temporary_directory.as_deref().unwrap_or(b"/tmp");
    let temporary = std::str::from_utf8(temporary).ok()?.trim_end_matches('/');
    if home.is_empty() {
        return None;
    }
    let pattern = format!(r"^{}/\.aws(/.*)?$", regex_syntax::escape(home));
    Some((pattern, format!("{}/.aws$1", temporary.replace('$', "$$"))))
}
