//! A session, launches from real `launch.json` files, and an RFC 6902 implementation that is not
//! ours to apply the patches.

#![allow(dead_code, reason = "each test file uses its part")]

use mirrord_editor_protocol::launch::Launch;
use mirrord_launch::{CLibrary, ExecutableFacts, Facts, FileType, Injection, Plan, plan};
use serde_json::{Value, json};

pub const LAYER: &str = "/opt/mirrord/libmirrord_layer.so";
pub const SOCKET: &str = "/run/user/1000/mirrord/s1/launch.sock";
pub const LAUNCHER: &str = "/opt/mirrord/mirrord-server";

pub fn injection() -> Injection {
    Injection {
        layer: LAYER.into(),
        socket: SOCKET.into(),
        token: "70cafe".into(),
        launcher: LAUNCHER.into(),
        unset: Vec::new(),
    }
}

/// Another session of a newer installation.
pub fn other_injection() -> Injection {
    Injection {
        layer: "/opt/newer/libmirrord_layer.so".into(),
        socket: "/run/user/1000/mirrord/s2/launch.sock".into(),
        token: "beef".into(),
        launcher: "/opt/newer/mirrord-server".into(),
        unset: Vec::new(),
    }
}

pub fn launch(raw: Value) -> Launch {
    Launch {
        raw: Some(raw),
        ..Launch::default()
    }
}

pub fn executable(file: FileType) -> Facts {
    Facts {
        executable: Some(ExecutableFacts {
            path: "/work/app".into(),
            file,
            go: false,
            setuid: false,
        }),
        ..Facts::default()
    }
}

pub fn dynamic() -> Facts {
    executable(FileType::Dynamic(CLibrary::Glibc))
}

pub fn fixed() -> Facts {
    executable(FileType::Static)
}

pub fn planned(raw: &Value, facts: &Facts) -> Plan {
    plan(&launch(raw.clone()), facts, &injection()).expect("served")
}

/// What VS Code launches after the patch.
pub fn apply(raw: &Value, plan: &Plan) -> Value {
    let mut result = raw.clone();
    let operations =
        serde_json::to_value(plan.patch.vscode.clone().unwrap_or_default()).expect("JSON");
    let patch: json_patch::Patch = serde_json::from_value(operations).expect("RFC 6902");
    json_patch::patch(&mut result, &patch).expect("applies");
    result
}

pub fn patched(raw: &Value, facts: &Facts) -> Value {
    apply(raw, &planned(raw, facts))
}

/// The variables, with the user's own list behind ours.
pub fn variables(user_preload: &str) -> Value {
    let preload = match user_preload {
        "" => LAYER.to_owned(),
        more => format!("{LAYER}:{more}"),
    };
    json!({
        "LD_PRELOAD": preload,
        "MIRRORD_SUPERVISOR": SOCKET,
        "MIRRORD_LAUNCH_TOKEN": "70cafe",
    })
}

pub fn with(mut base: Value, more: Value) -> Value {
    for (name, value) in more.as_object().expect("an object") {
        base[name] = value.clone();
    }
    base
}
