//! The provider against an API server that says odd things, which no real one says on demand.

mod access;
mod describing;
mod listing;
mod members;
mod mock;
mod watching;
