//! Configuration files as an editor sees them: diagnostics, completion, hover, quick fixes and so
//! on, in JSON, YAML and TOML alike.
//!
//! Pure: a [`Document`] is text that the daemon keeps up to date, live values come through
//! [`Live`], and every answer is LSP's own type. What keys there are and what is wrong with a file
//! is known by `mirrord-config` alone; this crate knows where things stand in the text, also while
//! the text is broken.

#![forbid(unsafe_code)]

mod actions;
mod completion;
mod convert;
mod diagnostics;
mod document;
mod folding;
mod format;
mod hints;
mod hover;
mod keys;
mod lenses;
mod lines;
mod live;
mod live_diagnostics;
mod place;
mod symbols;
mod syntax;

pub use completion::Abilities;
pub use convert::Converted;
pub use document::{Document, WrittenCluster};
pub use lenses::{PICK_TARGET, SET_ACTIVE, TEST_CONNECTION};
pub use lines::Encoding;
pub use live::{Live, LivePort, LiveTarget, NotLive, TargetState};

#[cfg(test)]
mod tests;
