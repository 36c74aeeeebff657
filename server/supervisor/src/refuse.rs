//! Our own processes are never supervised: a file server whose own calls were turned over to a
//! supervisor that needs that file server would wait for itself.

use std::ffi::OsStr;

use mirrord_filter::control;

use crate::SupervisorError;

/// Part of the layer's file name.
const LAYER: &str = "mirrord_layer";

/// Every role of ours but the launcher calls this first.
pub fn refuse_if_supervised(preload: Option<&OsStr>) -> Result<(), SupervisorError> {
    if control::is_supervised() {
        return Err(SupervisorError::Supervised {
            how: "the system call filter",
        });
    }
    if preload.is_some_and(|list| list.to_string_lossy().contains(LAYER)) {
        return Err(SupervisorError::Supervised { how: "LD_PRELOAD" });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_preload_is_refused_and_others_are_not() {
        assert!(refuse_if_supervised(None).is_ok());
        assert!(refuse_if_supervised(Some(OsStr::new("/usr/lib/libjemalloc.so"))).is_ok());
        let ours = OsStr::new("/x/libmirrord_layer.so:/y.so");
        assert!(refuse_if_supervised(Some(ours)).is_err());
    }
}
