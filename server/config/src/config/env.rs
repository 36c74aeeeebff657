//! `feature.env`: the target's environment variables.

use serde_json::{Value as Json, json};

use super::toggle;
use crate::group::{Shorthand, group};
use crate::kinds::{Many, Pairs};
use crate::reader::Reader;
use crate::setting::Setting;
use crate::tree::Node;

group! {
    /// The target's environment variables. `false`: none of them.
    pub struct EnvConfig {
        settings {
            /// Only these variables of the target. `*` stands for any text, `?` for one character;
            /// several in one text are separated by `;`. A variable that stays local by default
            /// (`PATH`) is taken when it is named in full.
            "include" include: Option<Many<String>> = None,
                env &["MIRRORD_OVERRIDE_ENV_VARS_INCLUDE"];
            /// All variables of the target but these, written as for `include`.
            "exclude" exclude: Option<Many<String>> = None,
                env &["MIRRORD_OVERRIDE_ENV_VARS_EXCLUDE"];
            /// Variables with a value of your own, over all others.
            "override" overrides: Pairs = Pairs::default();
            /// Fetch the variables when the program starts. Here they always come before it does.
            "load_from_process" load_from_process: bool = false,
                env &["MIRRORD_ENV_LOAD_FROM_PROCESS"];
            /// Variables to remove, whoever set them, in any case of letters.
            "unset" unset: Many<String> = Many::default();
            /// A file of variables (`NAME=value` lines), over the target's.
            "env_file" env_file: Option<String> = None,
                env &["MIRRORD_OVERRIDE_ENV_VARS_FILE"];
            /// Regular expressions for names, and the value that variables so named get.
            "mapping" mapping: Pairs = Pairs::default();
        }
    }
}

impl Shorthand for EnvConfig {
    fn read_shorthand(&mut self, node: &Node, reader: &mut Reader) -> bool {
        toggle!(EnvConfig, node, reader, |origin: crate::setting::Origin| {
            let all = Setting {
                value: "*".to_owned(),
                origin: origin.clone(),
            };
            self.exclude = Setting {
                value: Some(Many(vec![all])),
                origin,
            };
        })
    }

    fn expanded(shorthand: &Json) -> Option<Json> {
        match shorthand {
            Json::Bool(true) => Some(json!({})),
            Json::Bool(false) => Some(json!({ "exclude": "*" })),
            _ => None,
        }
    }

    fn shorthands() -> Vec<&'static str> {
        vec!["`true` or `false`"]
    }

    fn shorthand_schemas() -> Vec<Json> {
        vec![json!({ "type": "boolean" })]
    }
}
