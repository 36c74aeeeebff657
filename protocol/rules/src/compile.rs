//! Compiling the configuration's values to a block, in the session.

use regex_syntax::hir::Hir;

use crate::address::{AddressFilter, Host, Proto};
use crate::block::{Section, Writer};
use crate::decide::{OTHER_GROUPS, PATH_GROUPS, Says};
use crate::defaults::{self, Default};
use crate::error::CompileError;
use crate::network::{FILTER_WORDS, IncomingMode, PortSays, Side, flag};
use crate::pattern::{self, Group, PatternError};
use crate::source::{FsMode, HttpFiltered, IncomingSource, RuleSource};

/// Compiles rules to a block for [`crate::Rules::from_bytes`]. The first thing that is wrong is
/// the error; [`check`] tells all.
pub fn compile(source: &RuleSource) -> Result<Vec<u8>, CompileError> {
    let mut compiler = Compiler::new(false);
    compiler.all(source);
    match compiler.errors.into_iter().next() {
        Some(error) => Err(error),
        None => Ok(compiler.writer.finish()),
    }
}

/// Everything that is wrong with the patterns and filters of a source.
pub fn check(source: &RuleSource) -> Vec<CompileError> {
    let mut compiler = Compiler::new(true);
    compiler.all(source);
    compiler.errors
}

struct Compiler {
    writer: Writer,
    errors: Vec<CompileError>,
    /// Only what is wrong is wanted, of the user's own lists, and quickly.
    checking: bool,
}

/// A pattern with what is needed to show an error about it.
struct Item {
    list: &'static str,
    index: usize,
    text: String,
    hir: Hir,
}

impl Compiler {
    fn new(checking: bool) -> Self {
        Compiler {
            writer: Writer::new(),
            errors: Vec::new(),
            checking,
        }
    }

    fn all(&mut self, source: &RuleSource) {
        let flags = self.outgoing(source) | self.dns(source) | self.incoming(&source.incoming);
        self.paths(source);
        self.mapping(source);
        self.unix(source);
        let mode = match source.fs.mode {
            FsMode::Local => 1,
            FsMode::LocalWithOverrides => 2,
            FsMode::Read => 3,
            FsMode::Write => 4,
        };
        let incoming = match source.incoming.mode {
            IncomingMode::Off => 1,
            IncomingMode::Mirror => 2,
            IncomingMode::Steal => 3,
        };
        let executable = source.machine.executable.as_deref().unwrap_or_default();
        let rule = format!(
            "fs.local (default) {}$",
            String::from_utf8_lossy(executable)
        );
        let rule = self.writer.text(rule.as_bytes());
        let program = self.writer.text(executable);
        let settings = [
            mode, flags, incoming, 0, program[0], program[1], rule[0], rule[1],
        ];
        self.writer.words(Section::Settings, &settings);
    }

    fn paths(&mut self, source: &RuleSource) {
        let fs = &source.fs;
        if self.checking {
            let lists: [(&'static str, &[String]); 4] = [
                ("feature.fs.not_found", &fs.not_found),
                ("feature.fs.read_write", &fs.read_write),
                ("feature.fs.read_only", &fs.read_only),
                ("feature.fs.local", &fs.local),
            ];
            return self.check(&lists, true, PATH_GROUPS);
        }
        let mut items = Vec::new();
        for (says, list, patterns) in [
            (Says::NotFound, "feature.fs.not_found", &fs.not_found),
            (Says::ReadWrite, "feature.fs.read_write", &fs.read_write),
            (Says::ReadOnly, "feature.fs.read_only", &fs.read_only),
            (Says::Local, "feature.fs.local", &fs.local),
        ] {
            let shown = list.trim_start_matches("feature.");
            for item in self.parse(list, patterns, true) {
                let rule = self
                    .writer
                    .text(format!("{shown} {}", item.text).as_bytes());
                self.writer
                    .words(Section::PathPatterns, &[rule[0], rule[1], says as u32]);
                items.push(item);
            }
        }
        let own = items.len();
        for (says, text) in defaults::rules(source) {
            let (says, shown) = match says {
                Default::NotFound => (Says::NotFound, "fs.not_found"),
                Default::ReadOnly => (Says::ReadOnly, "fs.read_only"),
                Default::Local => (Says::Local, "fs.local"),
                Default::LocalTrusted => (Says::LocalTrusted, "fs.local"),
            };
            // ASCII only: `(?i)` in Unicode would cost states for letters that no default has.
            let list = [format!("(?-u){text}")];
            for item in self.parse("the default lists", &list, true) {
                let rule = self
                    .writer
                    .text(format!("{shown} (default) {text}").as_bytes());
                self.writer
                    .words(Section::PathPatterns, &[rule[0], rule[1], says as u32]);
                items.push(item);
            }
        }
        self.automata(Section::PathGroups, PATH_GROUPS, items, own);
    }

    fn mapping(&mut self, source: &RuleSource) {
        let list = "feature.fs.mapping";
        let (patterns, replacements): (Vec<String>, Vec<String>) =
            source.fs.mapping.iter().cloned().unzip();
        if self.checking {
            return self.check(&[(list, &patterns)], true, OTHER_GROUPS);
        }
        let items = self.parse(list, &patterns, true);
        for item in &items {
            let pattern = self.writer.text(item.text.as_bytes());
            let replacement = self.writer.text(replacements[item.index].as_bytes());
            let rule = format!("fs.mapping {} => {}", item.text, replacements[item.index]);
            let rule = self.writer.text(rule.as_bytes());
            let record = [pattern, replacement, rule].concat();
            self.writer.words(Section::MappingPatterns, &record);
        }
        self.automata(Section::MappingGroups, OTHER_GROUPS, items, 0);
    }

    fn unix(&mut self, source: &RuleSource) {
        let list = "feature.network.outgoing.unix_streams";
        if self.checking {
            let patterns = &source.outgoing.unix_streams;
            return self.check(&[(list, patterns)], false, OTHER_GROUPS);
        }
        // In contrast to paths of files, mirrord matches these in the case they are written in.
        let items = self.parse(list, &source.outgoing.unix_streams, false);
        for item in &items {
            let rule = format!("network.outgoing.unix_streams {}", item.text);
            let rule = self.writer.text(rule.as_bytes());
            self.writer.words(Section::UnixPatterns, &rule);
        }
        self.automata(Section::UnixGroups, OTHER_GROUPS, items, 0);
    }

    fn parse(
        &mut self,
        list: &'static str,
        patterns: &[String],
        case_insensitive: bool,
    ) -> Vec<Item> {
        let mut items = Vec::new();
        for (index, text) in patterns.iter().enumerate() {
            match pattern::parse(text, case_insensitive) {
                Ok(hir) => items.push(Item {
                    list,
                    index,
                    text: text.clone(),
                    hir,
                }),
                Err(error) => self.error(list, index, text, error),
            }
        }
        items
    }

    /// Builds the automata of a list. Those before and after `split` never share one: the user's
    /// patterns float, the defaults are anchored, and together they would be large.
    fn automata(&mut self, section: Section, most: usize, items: Vec<Item>, split: usize) {
        let mut count = 0;
        for part in [0..split, split..items.len()] {
            let hirs: Vec<Hir> = items[part.clone()]
                .iter()
                .map(|item| item.hir.clone())
                .collect();
            let groups =
                pattern::build(&hirs).map_err(|(index, error)| (part.start + index, error));
            let groups = groups.and_then(|groups| {
                count += groups.len();
                if count <= most {
                    return Ok(groups);
                }
                let last = part.end.saturating_sub(1);
                Err((last, too_many()))
            });
            match groups {
                Ok(groups) => {
                    for Group { first, automaton } in groups {
                        let [start, length] = self.writer.automaton(&automaton);
                        let first = (part.start + first) as u32;
                        self.writer.words(section, &[start, length, first]);
                    }
                }
                Err((index, error)) => {
                    let item = &items[index];
                    self.error(item.list, item.index, &item.text, error);
                }
            }
        }
    }

    /// What building the automata of these lists would say, without building them.
    fn check(&mut self, lists: &[(&'static str, &[String])], case_insensitive: bool, most: usize) {
        let mut verdicts = Vec::new();
        let mut last = None;
        for (list, patterns) in lists {
            for (index, text) in patterns.iter().enumerate() {
                let verdict = pattern::check(text, case_insensitive);
                match verdict.error {
                    Some(error) => self.error(list, index, text, error),
                    None => {
                        verdicts.push(verdict);
                        last = Some((*list, index, text));
                    }
                }
            }
        }
        if let Some((list, index, text)) = last
            && pattern::fewest_groups(&verdicts) > most
        {
            self.error(list, index, text, too_many());
        }
    }

    fn outgoing(&mut self, source: &RuleSource) -> u32 {
        let outgoing = &source.outgoing;
        let mut flags = 0;
        for (set, bit) in [
            (outgoing.tcp, flag::TCP),
            (outgoing.udp, flag::UDP),
            (outgoing.ignore_localhost, flag::OUTGOING_IGNORE_LOCALHOST),
        ] {
            flags |= if set { bit } else { 0 };
        }
        if let Some((side, filters)) = &outgoing.filter {
            let (bit, list, shown) = match side {
                Side::Local => (
                    flag::FILTER_LOCAL,
                    "feature.network.outgoing.filter.local",
                    "network.outgoing.filter.local",
                ),
                Side::Remote => (
                    flag::FILTER_REMOTE,
                    "feature.network.outgoing.filter.remote",
                    "network.outgoing.filter.remote",
                ),
            };
            flags |= bit;
            self.filters(Section::OutgoingFilters, list, shown, filters);
        }
        flags
    }

    fn dns(&mut self, source: &RuleSource) -> u32 {
        let mut flags = if source.dns.enabled { 0 } else { flag::DNS_OFF };
        if let Some((side, filters)) = &source.dns.filter {
            let (bit, list, shown) = match side {
                Side::Local => (
                    flag::DNS_LOCAL,
                    "feature.network.dns.filter.local",
                    "network.dns.filter.local",
                ),
                Side::Remote => (
                    flag::DNS_REMOTE,
                    "feature.network.dns.filter.remote",
                    "network.dns.filter.remote",
                ),
            };
            flags |= bit;
            self.filters(Section::DnsFilters, list, shown, filters);
        }
        flags
    }

    fn filters(&mut self, section: Section, list: &'static str, shown: &str, filters: &[String]) {
        for (index, text) in filters.iter().enumerate() {
            let filter = match text.parse::<AddressFilter>() {
                Ok(filter) => filter,
                Err(error) => {
                    let error = PatternError {
                        reason: error.to_string(),
                        range: None,
                    };
                    self.error(list, index, text, error);
                    continue;
                }
            };
            let rule = self.writer.text(format!("{shown} {text}").as_bytes());
            let mut record = [0; FILTER_WORDS];
            record[0..2].copy_from_slice(&rule);
            record[2] = match filter.proto {
                None => 0,
                Some(Proto::Tcp) => 1,
                Some(Proto::Udp) => 2,
            };
            record[5] = u32::from(filter.port);
            match &filter.host {
                Host::Any => {}
                Host::Net(std::net::IpAddr::V4(net), bits) => {
                    record[3] = 4;
                    record[4] = u32::from(*bits);
                    record[6] = u32::from(*net);
                }
                Host::Net(std::net::IpAddr::V6(net), bits) => {
                    record[3] = 6;
                    record[4] = u32::from(*bits);
                    let net = u128::from(*net);
                    for (place, word) in record[6..10].iter_mut().enumerate() {
                        *word = (net >> (96 - 32 * place)) as u32;
                    }
                }
                Host::Name(name) => {
                    record[3] = 9;
                    record[10..12].copy_from_slice(&self.writer.text(name.as_bytes()));
                }
            }
            self.writer.words(section, &record);
        }
    }

    fn incoming(&mut self, incoming: &IncomingSource) -> u32 {
        let mut flags = 0;
        if incoming.ignore_localhost {
            flags |= flag::INCOMING_IGNORE_LOCALHOST;
        }
        if let Some(ports) = &incoming.ports {
            flags |= flag::PORTS_LISTED;
            ports
                .iter()
                .for_each(|&port| self.port(PortSays::Taken, port, 0, "ports"));
        }
        for &port in &incoming.ignore_ports {
            self.port(PortSays::Ignored, port, 0, "ignore_ports");
        }
        for &(from, to) in &incoming.port_mapping {
            self.port(PortSays::Mapped, from, to, "port_mapping");
        }
        for &(from, to) in &incoming.listen_ports {
            self.port(PortSays::Listen, from, to, "listen_ports");
        }
        match &incoming.http_filtered {
            HttpFiltered::None => {}
            HttpFiltered::All => flags |= flag::HTTP_ALL,
            HttpFiltered::Ports(ports) => {
                for &port in ports {
                    self.port(PortSays::HttpFiltered, port, 0, "http_filter.ports");
                }
            }
        }
        flags
    }

    fn port(&mut self, says: PortSays, port: u16, to: u16, list: &str) {
        let rule = self
            .writer
            .text(format!("network.incoming.{list} {port}").as_bytes());
        let record = [
            says as u32,
            u32::from(port),
            u32::from(to),
            rule[0],
            rule[1],
        ];
        self.writer.words(Section::Ports, &record);
    }

    fn error(&mut self, list: &'static str, index: usize, text: &str, error: PatternError) {
        self.errors.push(CompileError {
            list,
            index,
            pattern: text.to_owned(),
            reason: error.reason,
            range: error.range,
        });
    }
}

fn too_many() -> PatternError {
    PatternError {
        reason: "the patterns together need too much memory; use fewer of them, or begin them \
                 with `^`"
            .to_owned(),
        range: None,
    }
}
