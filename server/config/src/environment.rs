//! `feature.env`: which variables the program gets, and why. Pure: what it needs is given to it.
//!
//! As mirrord does it: the target's variables that are let through, over them those of `env_file`,
//! then `mapping` changes values, then `override`; all of that over the local environment; at last
//! `unset` removes.

use std::collections::HashMap;

use fancy_regex::Regex;

use crate::config::env::EnvConfig;

/// A variable's name and value; neither need be UTF-8 (environ(7)).
pub type Bytes = Vec<u8>;

/// A variable that the program gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: Bytes,
    /// Its value.
    pub value: Bytes,
    /// Where the value comes from.
    pub from: Source,
    /// Why, for people: `env.include DB_*`.
    pub rule: String,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// This machine.
    Local,
    /// The target.
    Remote,
    /// `env_file`.
    File,
    /// `mapping`.
    Mapping,
    /// `override`.
    Override,
}

/// The program's environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Merged {
    /// What it gets, local ones first, in their order.
    pub variables: Vec<Variable>,
    /// The target's variables that it does not get, and why.
    pub left_out: Vec<(Bytes, String)>,
    /// Variables that were removed, and why.
    pub removed: Vec<(Bytes, String)>,
}

/// What is to be done to any local environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// What comes over it.
    pub set: Vec<Variable>,
    /// Names that go, in any case of letters. None of them is set.
    pub unset: Vec<String>,
}

/// Variables that say where things lie on a machine or how its runtimes start: the target's would
/// lead a local program astray.
const ALWAYS_LOCAL: &[&str] = &[
    // Where the shell finds programs and the user.
    "PATH",
    "HOME",
    "HOMEPATH",
    "PWD",
    // Java: installation, class path, options that name files.
    "CLASSPATH",
    "JAVA_EXE",
    "JAVA_HOME",
    "JAVA_TOOL_OPTIONS",
    "_JAVA_OPTIONS",
    "CATALINA_HOME",
    // Python, Go, .NET.
    "PYTHONPATH",
    "GOPATH",
    "GOMODCACHE",
    "DOTNET_EnableDiagnostics",
    "DOTNET_STARTUP_HOOKS",
    // Ruby and its bundler.
    "GEM_HOME",
    "GEM_PATH",
    "RUBYLIB",
    "RUBYOPT",
    "BUNDLER_ORIG_BUNDLER_ORIG_MANPATH",
    "BUNDLER_ORIG_BUNDLER_VERSION",
    "BUNDLER_ORIG_BUNDLE_BIN_PATH",
    "BUNDLER_ORIG_BUNDLE_GEMFILE",
    "BUNDLER_ORIG_GEM_HOME",
    "BUNDLER_ORIG_MANPATH",
    "BUNDLER_ORIG_PATH",
    "BUNDLER_ORIG_RB_USER_INSTALL",
    "BUNDLER_ORIG_RUBYLIB",
    "BUNDLER_ORIG_RUBYOPT",
    "BUNDLER_VERSION",
    "BUNDLE_APP_CONFIG",
    "BUNDLE_BIN_PATH",
    "BUNDLE_FORCE_RUBY_PLATFORM",
    "BUNDLE_GEMFILE",
    "BUNDLE_GEM_PATH",
    "BUNDLE_PATH",
    "BUNDLE_WITHOUT",
    // Logging of mirrord and of Rust programs: noise that the developer asked for, or did not.
    "MIRRORD_LOG",
    "RUST_LOG",
];

/// Merges the environments. `file` are the variables of `env_file`; `unset_more` are names that
/// something else than `unset` removes, with the reason.
pub fn merge(
    local: &[(Bytes, Bytes)],
    remote: &[(Bytes, Bytes)],
    file: &[(String, String)],
    config: &EnvConfig,
    unset_more: &[(&str, &str)],
) -> Merged {
    let (foreign, left_out) = foreign(remote, file, config);
    let mut merged = Merged {
        left_out,
        ..Merged::default()
    };
    let mut by_name: HashMap<Bytes, Variable> = foreign
        .iter()
        .map(|variable| (variable.name.clone(), variable.clone()))
        .collect();
    for (name, value) in local {
        // A variable of both keeps the place it has locally.
        let own = || variable(name, value, Source::Local, "env (local)".to_owned());
        match by_name.remove(name) {
            Some(variable) => merged.variables.push(variable),
            // The second of that name, which would hide the pod's from who looks for the last.
            None if foreign.iter().any(|variable| variable.name == *name) => {}
            None => merged.variables.push(own()),
        }
    }
    let added = foreign
        .into_iter()
        .filter(|variable| by_name.contains_key(&variable.name));
    merged.variables.extend(added);
    remove(&mut merged, config, unset_more);
    merged
}

/// The changes that make of any local environment what [`merge`] makes of it.
pub fn changes(
    remote: &[(Bytes, Bytes)],
    file: &[(String, String)],
    config: &EnvConfig,
    unset_more: &[(&str, &str)],
) -> Changes {
    let (set, _) = foreign(remote, file, config);
    let unset: Vec<String> = unset_rules(config, unset_more)
        .into_iter()
        .map(|(name, _)| name.to_owned())
        .collect();
    let stays = |variable: &Variable| !unset.iter().any(|name| same_name(&variable.name, name));
    Changes {
        set: set.into_iter().filter(stays).collect(),
        unset,
    }
}

/// What comes over the local environment, and what of the target's does not, and why.
fn foreign(
    remote: &[(Bytes, Bytes)],
    file: &[(String, String)],
    config: &EnvConfig,
) -> (Vec<Variable>, Vec<(Bytes, String)>) {
    let (mut foreign, mut left_out): (Vec<Variable>, Vec<_>) = Default::default();
    let filter = Filter::new(config);
    for (name, value) in remote {
        match filter.rule(name) {
            Ok(rule) => put(&mut foreign, variable(name, value, Source::Remote, rule)),
            Err(rule) => left_out.push((name.clone(), rule)),
        }
    }
    for (name, value) in file {
        let rule = "env.env_file".to_owned();
        put(
            &mut foreign,
            variable(name.as_bytes(), value.as_bytes(), Source::File, rule),
        );
    }
    map(&mut foreign, config);
    for (name, value) in &config.overrides.value.0 {
        let rule = format!("env.override {}", name.value);
        let (name, value) = (name.value.as_bytes(), value.value.as_bytes());
        put(&mut foreign, variable(name, value, Source::Override, rule));
    }
    (foreign, left_out)
}

fn variable(name: &[u8], value: &[u8], from: Source, rule: String) -> Variable {
    Variable {
        name: name.to_vec(),
        value: value.to_vec(),
        from,
        rule,
    }
}

/// The last of several values counts.
fn put(variables: &mut Vec<Variable>, new: Variable) {
    match variables
        .iter_mut()
        .find(|variable| variable.name == new.name)
    {
        Some(old) => *old = new,
        None => variables.push(new),
    }
}

fn map(variables: &mut [Variable], config: &EnvConfig) {
    let patterns: Vec<(Regex, &str, &str)> = config
        .mapping
        .value
        .0
        .iter()
        .filter_map(|(pattern, value)| {
            // Bad ones were errors when the configuration was loaded.
            Some((
                Regex::new(&pattern.value).ok()?,
                pattern.value.as_str(),
                value.value.as_str(),
            ))
        })
        .collect();
    for variable in variables {
        let Ok(name) = std::str::from_utf8(&variable.name) else {
            continue;
        };
        let found = patterns
            .iter()
            .find(|(regex, ..)| regex.is_match(name).unwrap_or(false));
        if let Some((_, pattern, value)) = found {
            variable.value = value.as_bytes().to_vec();
            variable.from = Source::Mapping;
            variable.rule = format!("env.mapping {pattern}");
        }
    }
}

fn remove(merged: &mut Merged, config: &EnvConfig, more: &[(&str, &str)]) {
    let rules = unset_rules(config, more);
    let Merged {
        variables, removed, ..
    } = merged;
    variables.retain(|variable| {
        let rule = rules
            .iter()
            .find(|(name, _)| same_name(&variable.name, name));
        if let Some((_, rule)) = rule {
            removed.push((variable.name.clone(), rule.clone()));
        }
        rule.is_none()
    });
}

/// The names that go, and why.
fn unset_rules<'a>(config: &'a EnvConfig, more: &[(&'a str, &str)]) -> Vec<(&'a str, String)> {
    let own = config.unset.value.0.iter();
    let own = own.map(|name| (name.value.as_str(), format!("env.unset {}", name.value)));
    own.chain(more.iter().map(|(name, rule)| (*name, (*rule).to_owned())))
        .collect()
}

/// In any case of letters, as mirrord does (`AWS_PROFILE`, `Aws_Profile`).
fn same_name(name: &[u8], other: &str) -> bool {
    match std::str::from_utf8(name) {
        // Letter by letter, as the layer compares them without memory of its own.
        Ok(name) => {
            let (name, other) = (name.chars(), other.chars());
            name.flat_map(char::to_lowercase)
                .eq(other.flat_map(char::to_lowercase))
        }
        Err(_) => false,
    }
}

struct Filter<'a> {
    include: Option<Vec<&'a str>>,
    exclude: Vec<&'a str>,
}

impl<'a> Filter<'a> {
    fn new(config: &'a EnvConfig) -> Self {
        let split = |list: &'a Option<crate::kinds::Many<String>>| {
            list.as_ref().map(|list| {
                let texts = list.0.iter().flat_map(|text| text.value.split(';'));
                texts
                    .map(str::trim)
                    .filter(|text| !text.is_empty())
                    .collect::<Vec<_>>()
            })
        };
        Filter {
            include: split(&config.include.value),
            exclude: split(&config.exclude.value).unwrap_or_default(),
        }
    }

    /// Why a variable of the target is let through, or why not.
    fn rule(&self, name: &[u8]) -> Result<String, String> {
        // Named in full, also what is local by default is taken: so mirrord's documentation says
        // (its code leaves it out all the same).
        let named = self
            .include
            .iter()
            .flatten()
            .find(|glob| glob.as_bytes() == name);
        if let Some(glob) = named {
            return Ok(format!("env.include {glob}"));
        }
        if ALWAYS_LOCAL.iter().any(|local| local.as_bytes() == name) {
            let name = String::from_utf8_lossy(name);
            return Err(format!("env.exclude (default) {name}"));
        }
        if let Some(glob) = self
            .exclude
            .iter()
            .find(|glob| matches(glob.as_bytes(), name))
        {
            return Err(format!("env.exclude {glob}"));
        }
        match &self.include {
            None => Ok("env".to_owned()),
            Some(globs) => match globs.iter().find(|glob| matches(glob.as_bytes(), name)) {
                Some(glob) => Ok(format!("env.include {glob}")),
                None => Err("env.include (no match)".to_owned()),
            },
        }
    }
}

/// `*` is any text, `?` one character (one byte of a name that is not UTF-8).
fn matches(glob: &[u8], name: &[u8]) -> bool {
    match glob.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => {
            rest.is_empty() || (0..=name.len()).any(|start| matches(rest, &name[start..]))
        }
        Some((b'?', rest)) => {
            let length = name.utf8_chunks().next().map_or(0, |chunk| {
                chunk.valid().chars().next().map_or(1, char::len_utf8)
            });
            length > 0 && matches(rest, &name[length..])
        }
        Some((byte, rest)) => name
            .split_first()
            .is_some_and(|(first, name)| first == byte && matches(rest, name)),
    }
}

#[cfg(test)]
mod tests;
