//! A value of the configuration with where it comes from.

use std::fmt;

use crate::problem::Place;

/// A value and its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// A configuration file.
    File(Place),
    /// A configuration file, but a template in it made (part of) the value; the place is the
    /// template's.
    Template(Place),
    /// An environment variable.
    Env(String),
    /// A flag of the command line.
    Flag(&'static str),
}

impl<T> Setting<T> {
    /// A value that nobody set.
    pub fn default(value: T) -> Self {
        Setting {
            value,
            origin: Origin::Default,
        }
    }
}

impl Origin {
    /// The part of a file, when it is one.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Origin::File(place) | Origin::Template(place) => Some(place),
            Origin::Default | Origin::Env(_) | Origin::Flag(_) => None,
        }
    }
}

/// `the default`, `mirrord.json:3:7`, `$MIRRORD_FILE_MODE`, `--steal`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("the default"),
            Origin::File(place) => write!(f, "{place}"),
            Origin::Template(place) => write!(f, "{place} (template)"),
            Origin::Env(name) => write!(f, "${name}"),
            Origin::Flag(flag) => f.write_str(flag),
        }
    }
}
