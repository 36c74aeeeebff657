//! The command line of `targets`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// List what a program can be run in.
#[derive(Debug, Args)]
pub struct Targets {
    /// One JSON array of objects instead of a table.
    #[arg(long, conflicts_with = "output")]
    pub json: bool,
    /// `json`: one JSON array of names, as mirrord's `ls` prints it.
    #[arg(long, short = 'o', value_name = "FORMAT")]
    pub output: Option<Output>,
    /// Namespace; otherwise the configuration's, or the context's.
    #[arg(long, short = 'n', value_name = "NAME")]
    pub namespace: Option<String>,
    /// Context of the kubeconfig.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Only these kinds: `pod`, `deployment`, `sandbox`, …
    #[arg(
        long = "type",
        short = 't',
        value_name = "KIND",
        value_delimiter = ',',
        env = "MIRRORD_LS_TARGET_TYPES"
    )]
    pub types: Option<Vec<String>>,
    /// Only targets of the cluster with these labels: `app=web,tier=front`.
    #[arg(long, short = 'l', value_name = "SELECTOR")]
    pub label: Option<String>,
    /// Configuration file that says which cluster and namespace.
    #[arg(long, short = 'f', value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Other forms of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Names alone.
    Json,
}
