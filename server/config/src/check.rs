//! What is wrong with a configuration whose values are each right by themselves: patterns that do
//! not compile, keys that exclude each other, and what we do not serve yet.

mod not_yet;

use fancy_regex::Regex;
use mirrord_rules::{Machine, Side};

use crate::config::Config;
use crate::config::incoming::IncomingMode;
use crate::config::target::Target;
use crate::problem::{Problem, Severity};
use crate::reader::inner_place;
use crate::setting::{Origin, Setting};

/// All problems of a configuration that was read.
pub(crate) fn check(config: &Config) -> Vec<Problem> {
    let mut checks = Checks {
        problems: Vec::new(),
    };
    for error in mirrord_rules::check(&config.rule_source(&Machine::default())) {
        checks.problems.push(config.explain(&error));
    }
    checks.env(config);
    checks.incoming(config);
    checks.outgoing_and_dns(config);
    checks.target(config);
    checks.not_yet(config);
    checks.problems
}

struct Checks {
    problems: Vec<Problem>,
}

impl Checks {
    fn add(&mut self, severity: Severity, origin: &Origin, message: &str, help: Option<&str>) {
        let place = origin.place().cloned();
        let message = match (&place, origin) {
            (None, Origin::Env(_) | Origin::Flag(_)) => format!("{message} (from {origin})"),
            _ => message.to_owned(),
        };
        let help = help.map(str::to_owned);
        self.problems.push(Problem {
            severity,
            message,
            place,
            help,
        });
    }

    fn error(&mut self, origin: &Origin, message: &str, help: &str) {
        self.add(Severity::Error, origin, message, Some(help));
    }

    fn warning(&mut self, origin: &Origin, message: &str) {
        self.add(Severity::Warning, origin, message, None);
    }

    fn env(&mut self, config: &Config) {
        let env = &config.feature.env;
        if env.include.value.is_some() && env.exclude.value.is_some() {
            self.error(
                &env.exclude.origin,
                "feature.env.include and feature.env.exclude cannot both be given",
                "keep one of the two",
            );
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
        self.problems.push(Problem {
            severity: Severity::Error,
            message: format!("{name}: bad regular expression `{}`: {why}", pattern.value),
            place,
            help: None,
        });
    }

    fn incoming(&mut self, config: &Config) {
        let incoming = &config.feature.network.incoming;
        if incoming.ports.value.is_some() && !incoming.ignore_ports.value.0.is_empty() {
            self.error(
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
                &incoming.port_mapping.origin,
                "feature.network.incoming.port_mapping maps a port to itself, which changes nothing",
            );
        }
        let filter = &incoming.http_filter;
        for (name, pattern) in [
            ("header_filter", &filter.header_filter),
            ("path_filter", &filter.path_filter),
        ] {
            let name = format!("feature.network.incoming.http_filter.{name}");
            match &pattern.value {
                Some(text) if text.is_empty() => {
                    self.error(&pattern.origin, &format!("{name} is empty"), "leave it out");
                }
                Some(text) => {
                    let origin = pattern.origin.clone();
                    self.regex(
                        &name,
                        &Setting {
                            value: text.clone(),
                            origin,
                        },
                    );
                }
                None => {}
            }
        }
    }

    fn outgoing_and_dns(&mut self, config: &Config) {
        let network = &config.feature.network;
        let (outgoing, dns) = (&network.outgoing, &network.dns);
        if let Some(filter) = &outgoing.filter.value {
            if filter.filters.0.is_empty() {
                self.error(
                    &outgoing.filter.origin,
                    "feature.network.outgoing.filter has an empty list",
                    "list what shall go there, or leave the filter out",
                );
            }
            if filter.side == Side::Remote && !dns.enabled.value {
                self.warning(
                    &outgoing.filter.origin,
                    "feature.network.outgoing.filter sends names to the target, but \
                     feature.network.dns is off: the names are resolved on this machine",
                );
            }
        }
        if let Some(filter) = &dns.filter.value {
            if !dns.enabled.value {
                self.warning(
                    &dns.filter.origin,
                    "feature.network.dns.filter has no effect, for feature.network.dns is off",
                );
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
        match &target.value {
            Some(Target::Targetless)
                if config.feature.network.incoming.mode.value.0 == IncomingMode::Steal =>
            {
                self.error(
                    &config.feature.network.incoming.mode.origin,
                    "nothing can be stolen without a target",
                    "name a target, or set feature.network.incoming to `off`",
                );
            }
            _ => {}
        }
    }
}
