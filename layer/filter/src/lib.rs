//! The seccomp filter that turns calls over to the supervisor, and what goes with it.
//!
//! Used by the layer's constructor inside foreign programs, by the launcher and by the
//! supervisor; so it knows nothing of rules or sessions, allocates nothing and never panics.
