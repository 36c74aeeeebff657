//! Keeping the agent small: it lives beside the pod, on a node that is not ours.

/// The C library's allocator gives each thread an arena of its own, which keeps what was freed: a
/// dozen threads of file calls kept a buffer of 1 MiB each. Two arenas are enough for them.
#[cfg(target_env = "gnu")]
pub fn keep_small() {
    const ARENAS: libc::c_int = 2;
    // SAFETY: mallopt(3) only sets a number; no thread but this one exists yet.
    if unsafe { libc::mallopt(libc::M_ARENA_MAX, ARENAS) } == 0 {
        tracing::debug!("the allocator's arenas could not be bounded");
    }
}

/// Other C libraries have one arena for all threads.
#[cfg(not(target_env = "gnu"))]
pub fn keep_small() {}
