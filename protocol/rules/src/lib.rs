//! The local/remote decision: which paths, destinations and ports are the pod's.
//!
//! Rules are compiled once, in the session, to one flat block of bytes ([`compile`]), which every
//! process maps or borrows ([`Rules::from_bytes`]). Deciding allocates nothing, takes no lock and
//! makes no system call, so that the layer can do it inside a signal handler.
