//! Keys that mirrord itself had once and has no more: a file from then is explained instead of
//! being taken for mistyped.

/// A key of the past.
pub(crate) struct Former {
    path: &'static str,
    /// The key beside it that does the same now.
    replacement: Option<&'static str>,
    why: &'static str,
}

impl Former {
    pub(crate) fn sentence(&self) -> String {
        match self.replacement {
            Some(new) => format!("this is deprecated, use `{new}`: {}", self.why),
            None => format!("mirrord has this no more: {}", self.why),
        }
    }

    pub(crate) fn replacement(&self) -> Option<&'static str> {
        self.replacement
    }
}

const fn gone(path: &'static str, why: &'static str) -> Former {
    Former {
        path,
        replacement: None,
        why,
    }
}

const FORMER: &[Former] = &[
    gone(
        "pause",
        "the target goes on running; `copy_target` of mirrord's operator came after it",
    ),
    gone(
        "connect_tcp",
        "the session reaches its agent by the target's provider",
    ),
    gone(
        "agent.network_interface",
        "connections are taken where they arrive, on any interface",
    ),
    gone("experimental.readlink", "links are always read"),
    gone(
        "experimental.readonly_file_buffer",
        "it became `feature.fs.readonly_file_buffer`; here the kernel reads ahead",
    ),
    gone(
        "experimental.vfork_emulation",
        "`vfork` needs no emulation here",
    ),
    gone("experimental.hook_rename", "`rename` is always followed"),
    gone(
        "experimental.force_hook_connect",
        "`connect` is always followed",
    ),
    gone(
        "experimental.dns_permission_error_fatal",
        "an error of the target's resolver is always the program's",
    ),
    gone(
        "experimental.go_cgo_stack_switch",
        "no stacks are switched here",
    ),
    gone(
        "feature.capture_error_trace",
        "errors are in the session's log",
    ),
    Former {
        path: "feature.network.incoming.http_header_filter",
        replacement: Some("http_filter"),
        why: "its `filter` is `http_filter.header_filter`",
    },
    Former {
        path: "feature.network.incoming.http_filter.filter",
        replacement: Some("header_filter"),
        why: "there are filters of other kinds too",
    },
    Former {
        path: "feature.preview.idle.timeout_secs",
        replacement: Some("sleep_after_secs"),
        why: "it was renamed",
    },
];

/// A key below a path, when it is one of the past.
pub(crate) fn find(path: &[String], key: &str) -> Option<&'static Former> {
    let mut whole = path.join(".");
    if !whole.is_empty() {
        whole.push('.');
    }
    whole.push_str(key);
    FORMER.iter().find(|former| former.path == whole)
}
