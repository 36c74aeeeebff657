//! `feature.fs`: the target's files.

use serde_json::{Value as Json, json};

use super::toggle;
use crate::group::{Shorthand, Status, Word, group, words};
use crate::kinds::{Many, Pairs};
use crate::reader::{Kind, Reader};
use crate::setting::Setting;
use crate::tree::{Node, Value};
use crate::unserved::Shape;

words! {
    /// What happens with a path that no list names.
    pub enum FsMode {
        /// All files are this machine's.
        Local = "local",
        /// Files are this machine's, unless a list says otherwise.
        LocalWithOverrides = "localwithoverrides",
        /// Reading is from the target, writing on this machine.
        Read = "read",
        /// Reading and writing are the target's.
        Write = "write",
    }
}

group! {
    /// The target's files. `true` or `"read"`: read them (the default); `false` or `"local"`: this
    /// machine's files only.
    pub struct FsConfig {
        settings {
            /// What happens with a path that no list names: `local`, `localwithoverrides`, `read`
            /// (the default) or `write`.
            "mode" mode: FsMode = FsMode::Read, env &["MIRRORD_FILE_MODE"];
            /// Regular expressions of paths that are read and written in the target.
            "read_write" read_write: Many<String> = Many::default(),
                env &["MIRRORD_FILE_READ_WRITE_PATTERN"];
            /// Regular expressions of paths that are read from the target, and written on this
            /// machine.
            "read_only" read_only: Many<String> = Many::default(),
                env &["MIRRORD_FILE_READ_ONLY_PATTERN"];
            /// Regular expressions of paths that are this machine's.
            "local" local: Many<String> = Many::default(), env &["MIRRORD_FILE_LOCAL_PATTERN"];
            /// Regular expressions of paths that do not exist for the program.
            "not_found" not_found: Many<String> = Many::default();
            /// Regular expressions of paths and what the matched part is replaced by (`$1`,
            /// `${name}`), before anything else is decided.
            "mapping" mapping: Pairs = Pairs::default();
        }
        unserved {
            /// Bytes that mirrord reads ahead in files.
            "readonly_file_buffer": Shape::Number(u64::MAX >> 1),
                Status::NotNeeded("the kernel reads ahead and keeps pages here");
        }
    }
}

impl Shorthand for FsConfig {
    fn read_shorthand(&mut self, node: &Node, reader: &mut Reader) -> bool {
        if matches!(node.value, Value::Text(_)) {
            if let Some(value) = FsMode::read(node, reader) {
                self.mode = Setting {
                    value,
                    origin: reader.origin(&node.span),
                };
            }
            return true;
        }
        toggle!(FsConfig, node, reader, |origin| {
            self.mode = Setting {
                value: FsMode::Local,
                origin,
            };
        })
    }

    fn shorthands() -> Vec<&'static str> {
        vec![
            "`true` or `false`",
            "a mode (`local`, `localwithoverrides`, `read`, `write`)",
        ]
    }

    fn shorthand_schemas() -> Vec<Json> {
        vec![json!({ "type": "boolean" }), FsMode::schema()]
    }

    fn shorthand_words() -> Vec<Word> {
        FsMode::words()
    }

    fn expanded(shorthand: &Json) -> Option<Json> {
        match shorthand {
            Json::Bool(true) => Some(json!({})),
            Json::Bool(false) => Some(json!({ "mode": "local" })),
            Json::String(mode) => Some(json!({ "mode": mode })),
            _ => None,
        }
    }
}

impl FsConfig {
    /// The two older variables for the mode, which mirrord still takes.
    pub(crate) fn read_old_env(&mut self, reader: &mut Reader) {
        let mut both = Setting::<Option<bool>>::default(None);
        let mut read = Setting::<Option<bool>>::default(None);
        reader.overrule("mode", &["MIRRORD_FILE_OPS"], &mut both);
        reader.overrule("mode", &["MIRRORD_FILE_RO_OPS"], &mut read);
        if reader.env.contains_key("MIRRORD_FILE_MODE") {
            return;
        }
        let (value, origin) = match (both.value, read.value) {
            (Some(true), _) => (FsMode::Write, both.origin),
            (_, Some(true)) => (FsMode::Read, read.origin),
            (Some(false), _) => (FsMode::Local, both.origin),
            (None, Some(false)) => (FsMode::Local, read.origin),
            (None, None) => return,
        };
        self.mode = Setting { value, origin };
    }
}
