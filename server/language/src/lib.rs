//! Configuration files as an editor sees them: diagnostics, completion, hover, quick fixes and so
//! on, in JSON, YAML and TOML alike.
//!
//! Pure: a [`Document`] is text that the daemon keeps up to date, live values come through
//! [`Live`], and every answer is LSP's own type. What keys there are and what is wrong with a file
//! is known by `mirrord-config` alone; this crate knows where things stand in the text, also while
//! the text is broken.

#![forbid(unsafe_code)]

mod completion;
mod document;
mod keys;
mod lines;
mod live;
mod place;
mod syntax;

pub use completion::Abilities;
pub use document::Document;
pub use lines::Encoding;
pub use live::{Live, LivePort, LiveTarget, NotLive};
