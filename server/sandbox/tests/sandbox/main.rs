//! Tests of whole sandboxes: real namespaces, as root and as an ordinary user.

mod common;
mod life;
mod pod;
