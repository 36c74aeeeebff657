//! mirrord's configuration: finding it, reading it, and saying what is wrong with it before
//! anything starts.
//!
//! Every value knows where it comes from ([`setting::Origin`]), so that an editor can show and
//! change it. The keys are declared once (`group`), which makes their types, defaults, JSON Schema
//! and hover texts. This crate knows no agent and no session: it hands rules to `mirrord-rules`
//! and merges environments that it is given.

#![forbid(unsafe_code)]

mod check;
pub mod config;
pub mod edit;
pub mod effective;
mod env_file;
pub mod environment;
pub mod group;
pub mod kinds;
mod load;
mod page;
mod parse;
pub mod problem;
pub mod reader;
mod rule_origin;
mod rules;
pub mod schema;
pub mod setting;
mod template;
pub mod tree;
pub mod unserved;

pub use config::Config;
pub use effective::{EffectiveValue, effective, effective_at};
pub use load::{
    Choice, FlagSetting, Flags, LoadedConfig, Reading, Source, Surroundings, Wanted, choose,
    files_of, from_text, git_branch, is_config_name, load, load_chosen, load_in, owning_folder,
    read_in, template_values,
};
pub use page::page;
pub use parse::{Format, parse_tree};
pub use problem::{Code, ConfigErrors, Fix, Problem, Severity, TextEdit};
pub use rules::machine;

use config::fs::FsMode;
use environment::{Bytes, Merged};

/// mirrord's list of build tools (`skip_build_tools`).
const BUILD_TOOLS: &[&str] = &[
    "as",
    "cc",
    "ld",
    "go",
    "air",
    "asm",
    "cc1",
    "cgo",
    "dlv",
    "gcc",
    "git",
    "link",
    "math",
    "cargo",
    "hpack",
    "rustc",
    "compile",
    "collect2",
    "cargo-watch",
    "debugserver",
];

impl Config {
    /// Whether anything in the target's file system can be written.
    pub fn may_write(&self) -> bool {
        let fs = &self.feature.fs;
        fs.mode.value == FsMode::Write
            || (fs.mode.value != FsMode::Local && !fs.read_write.value.0.is_empty())
    }

    /// Whether the program sees the target's host name.
    pub fn hostname(&self) -> bool {
        self.feature.hostname.value
    }

    /// The target as text: `sandbox/default`.
    pub fn target_name(&self) -> Option<String> {
        self.target.path.value.as_ref().map(ToString::to_string)
    }

    /// Names of programs that run as if we were not here.
    pub fn skipped_programs(&self) -> Vec<String> {
        let mut names = self.skip_processes.value.values();
        if self.skip_build_tools.value {
            names.extend(BUILD_TOOLS.iter().map(|name| (*name).to_owned()));
            names.extend(self.skip_extra_build_tools.value.values());
        }
        names
    }

    /// The program's environment, names and values in their order. Reads `env_file`.
    pub fn merge_environment(
        &self,
        local: &[(Bytes, Bytes)],
        remote: &[(Bytes, Bytes)],
    ) -> Result<Vec<(Bytes, Bytes)>, ConfigErrors> {
        let merged = self.environment(local, remote)?;
        let pairs = merged
            .variables
            .into_iter()
            .map(|variable| (variable.name, variable.value));
        Ok(pairs.collect())
    }

    /// As [`Config::merge_environment`], with the reason for each variable.
    pub fn environment(
        &self,
        local: &[(Bytes, Bytes)],
        remote: &[(Bytes, Bytes)],
    ) -> Result<Merged, ConfigErrors> {
        let env = &self.feature.env;
        let file = env_file::read(&env.env_file).map_err(|problem| ConfigErrors(vec![problem]))?;
        Ok(environment::merge(
            local,
            remote,
            &file,
            env,
            self.magic_unset(),
        ))
    }

    /// What is to be done to any local environment so that it becomes what
    /// [`Config::merge_environment`] makes of it: for programs that somebody else starts. Reads
    /// `env_file`.
    pub fn environment_changes(
        &self,
        remote: &[(Bytes, Bytes)],
    ) -> Result<environment::Changes, ConfigErrors> {
        let env = &self.feature.env;
        let file = env_file::read(&env.env_file).map_err(|problem| ConfigErrors(vec![problem]))?;
        Ok(environment::changes(remote, &file, env, self.magic_unset()))
    }

    /// What something else than `unset` removes, and why.
    fn magic_unset(&self) -> &'static [(&'static str, &'static str)] {
        match self.feature.magic.aws.value {
            true => &[("AWS_PROFILE", "magic.aws")],
            false => &[],
        }
    }
}
