//! The parts of a pod, made by its first process before it starts the others.

pub(crate) mod data;
pub(crate) mod files;
mod mount_attributes;
pub(crate) mod mounts;
pub(crate) mod names;
pub(crate) mod namespaces;
pub(crate) mod network;
