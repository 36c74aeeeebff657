//! What is wrong with a configuration whose values are each right by themselves: patterns that do
//! not compile, keys that exclude each other, and what we do not serve yet.

mod agent;
mod conflicts;
mod http;
mod not_yet;

use fancy_regex::Regex;
use mirrord_rules::{AddressFilter, Host, Machine, Side};

use crate::config::Config;
use crate::config::incoming::IncomingMode;
use crate::config::target::Target;
use crate::effective::Unserved;
use crate::problem::{Code, Problem, Severity};
use crate::reader::inner_place;
use crate::setting::{Origin, Setting};

/// All problems of a configuration that was read.
pub(crate) fn check(config: &Config, unserved: &[Unserved]) -> Vec<Problem> {
    let mut checks = Checks {
        problems: Vec::new(),
    };
    for error in mirrord_rules::check(&config.rule_source(&Machine::default())) {
        checks.problems.push(config.explain(&error));
    }
    checks.env(config);
    checks.fs(config);
    checks.incoming(config);
    checks.http(config);
    checks.outgoing_and_dns(config);
    checks.target(config);
    checks.agent(config);
    checks.unserved(unserved);
    checks.not_yet(config);
    checks.problems
}

struct Checks {
    problems: Vec<Problem>,
}

impl Checks {
    fn add(
        &mut self,
        severity: Severity,
        code: Code,
        origin: &Origin,
        message: &str,
    ) -> &mut Problem {
        let place = origin.place().cloned();
        let message = match (&place, origin) {
            (None, Origin::Env(_) | Origin::Flag(_)) => format!("{message} (from {origin})"),
            _ => message.to_owned(),
        };
        let problem = Problem {
            severity,
            ..Problem::error(code, message)
        };
        let index = self.problems.len();
        self.problems.push(problem.at(place));
        &mut self.problems[index]
    }

    fn error(&mut self, code: Code, origin: &Origin, message: &str, help: &str) {
        self.add(Severity::Error, code, origin, message).help = Some(help.to_owned());
    }

    fn warning(&mut self, code: Code, origin: &Origin, message: &str) {
        self.add(Severity::Warning, code, origin, message);
    }

    fn env(&mut self, config: &Config) {
        let env = &config.feature.env;
        if env.include.value.is_some() && env.exclude.value.is_some() {
            self.error(
                Code::Conflict,
                &env.exclude.origin,
                "feature.env.include and feature.env.exclude cannot both be given",
                "keep one of the two",
            );
        }
        for (name, value) in &env.overrides.value.0 {
            let unset = env.unset.value.0.iter();
            if unset
                .clone()
                .any(|other| other.value.eq_ignore_ascii_case(&name.value))
            {
                let message = format!(
                    "feature.env.override has no effect on {}, for feature.env.unset removes it",
                    name.value
                );
                self.warning(Code::Conflict, &value.origin, &message);
            }
        }
        for (pattern, _) in &env.mapping.value.0 {
            self.regex("feature.env.mapping", pattern);
        }
    }

    fn regex(&mut self, name: &str, pattern: &Setting<String>) {
        let Err(error) = Regex::new(&pattern.value) else {
            return;
        };
        let place = inner_place(pattern, &(0..pattern.value.len()));
        // The crate's own report repeats the pattern over several lines; its last says why.
        let text = error.to_string();
        let why = text
            .lines()
            .last()
            .unwrap_or("")
            .rsplit(": ")
            .next()
            .unwrap_or("");
        let message = format!("{name}: bad regular expression `{}`: {why}", pattern.value);
        let problem = Problem::error(Code::BadPattern, message);
        self.problems.push(problem.at(place));
    }

    fn incoming(&mut self, config: &Config) {
        let incoming = &config.feature.network.incoming;
        if incoming.ports.value.is_some() && !incoming.ignore_ports.value.0.is_empty() {
            self.error(
                Code::Conflict,
                &incoming.ignore_ports.origin,
                "feature.network.incoming.ports and .ignore_ports cannot both be given",
                "keep one of the two",
            );
        }
        if incoming
            .port_mapping
            .value
            .0
            .iter()
            .any(|(from, to)| from == to)
        {
            self.warning(
                Code::NoEffect,
                &incoming.port_mapping.origin,
                "feature.network.incoming.port_mapping maps a port to itself, which changes nothing",
            );
        }
        self.incoming_ports(config);
    }

    fn outgoing_and_dns(&mut self, config: &Config) {
        let network = &config.feature.network;
        let (outgoing, dns) = (&network.outgoing, &network.dns);
        if let Some(filter) = &outgoing.filter.value {
            if filter.filters.0.is_empty() {
                self.error(
                    Code::Missing,
                    &outgoing.filter.origin,
                    "feature.network.outgoing.filter has an empty list",
                    "list what shall go there, or leave the filter out",
                );
            }
            if filter.side == Side::Remote && !dns.enabled.value {
                self.warning(
                    Code::Conflict,
                    &outgoing.filter.origin,
                    "feature.network.outgoing.filter sends names to the target, but \
                     feature.network.dns is off: the names are resolved on this machine",
                );
            }
        }
        if let Some(filter) = &dns.filter.value {
            if !dns.enabled.value {
                self.warning(
                    Code::NoEffect,
                    &dns.filter.origin,
                    "feature.network.dns.filter has no effect, for feature.network.dns is off",
                );
            }
            for entry in &filter.filters.0 {
                let parsed = entry.value.parse::<AddressFilter>();
                if parsed.is_ok_and(|entry| entry.host == Host::Any && entry.port != 0) {
                    let message = format!(
                        "feature.network.dns.filter: `{}` names no host, and which port a name \
                         is looked up for is not known: it decides nothing",
                        entry.value
                    );
                    self.warning(Code::NoEffect, &entry.origin, &message);
                }
            }
            let other_side = outgoing.filter.value.as_ref().filter(|other| {
                other.side != filter.side
                    && other
                        .filters
                        .values()
                        .iter()
                        .any(|name| filter.filters.values().contains(name))
            });
            if other_side.is_some() {
                self.warning(
                    Code::Conflict,
                    &dns.filter.origin,
                    "feature.network.dns.filter resolves a name on one side that \
                     feature.network.outgoing.filter calls on the other: the address may mean \
                     nothing there",
                );
            }
        }
    }

    fn target(&mut self, config: &Config) {
        let target = &config.target.path;
        let incoming = &config.feature.network.incoming.mode;
        let namespace = &config.target.namespace;
        match &target.value {
            Some(Target::Targetless) if incoming.value.0 == IncomingMode::Steal => {
                self.error(
                    Code::Conflict,
                    &incoming.origin,
                    "nothing can be stolen without a target",
                    "name a target, or set feature.network.incoming to `off`",
                );
            }
            Some(Target::Process(_) | Target::Sandbox(_) | Target::Container(_))
                if namespace.value.is_some() =>
            {
                self.warning(
                    Code::NoEffect,
                    &namespace.origin,
                    "target.namespace has no effect: targets of this machine have none",
                );
            }
            _ => {}
        }
    }
}
