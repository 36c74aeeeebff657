//! Any launch that an editor sends: it is planned or refused in words, and what was planned once
//! stays as it is when it is planned again.

use mirrord_editor_protocol::launch::Launch;
use mirrord_launch::{CLibrary, ExecutableFacts, Facts, FileType, Injection, plan, subject};
use serde_json::Value;

/// Tries them: the first byte says what is known of the program, the others are the launch's JSON.
pub fn run(bytes: &[u8]) {
    let Some((known, text)) = bytes.split_first() else {
        return;
    };
    let Ok(launch) = serde_json::from_slice::<Launch>(text) else {
        return;
    };
    let facts = facts(*known);
    subject(&launch);
    let first = match plan(&launch, &facts, &injection()) {
        Ok(first) => first,
        Err(refusal) => {
            assert!(!refusal.message.is_empty() && !refusal.help.is_empty());
            return;
        }
    };
    let Some(raw) = launch.raw.clone() else {
        return;
    };
    let once = apply(raw, first.patch.vscode);
    let launch = Launch {
        raw: Some(once.clone()),
        ..launch
    };
    let second = plan(&launch, &facts, &injection()).expect("what was planned is not refused");
    assert_eq!(apply(once.clone(), second.patch.vscode), once);
}

fn apply(mut raw: Value, operations: Option<impl serde::Serialize>) -> Value {
    if let Some(operations) = operations {
        let operations = serde_json::to_value(operations).expect("JSON");
        let patch: json_patch::Patch = serde_json::from_value(operations).expect("RFC 6902");
        json_patch::patch(&mut raw, &patch).expect("it applies");
    }
    raw
}

fn facts(known: u8) -> Facts {
    let file = match known % 6 {
        0 => return Facts::default(),
        1 => FileType::Dynamic(CLibrary::Glibc),
        2 => FileType::Dynamic(CLibrary::Musl),
        3 => FileType::Static,
        4 => FileType::Other,
        _ => FileType::OtherMachine("aarch64".to_owned()),
    };
    Facts {
        executable: Some(ExecutableFacts {
            path: "/work/app".to_owned(),
            file,
            go: known & 64 != 0,
            setuid: known & 128 != 0,
        }),
        ..Facts::default()
    }
}

fn injection() -> Injection {
    Injection {
        layer: "/opt/mirrord/libmirrord_layer.so".to_owned(),
        socket: "/run/mirrord/launch.sock".to_owned(),
        token: "70cafe".to_owned(),
        launcher: "/opt/mirrord/mirrord-server".to_owned(),
        unset: vec!["GONE".to_owned()],
    }
}
