//! Values of `agent` that Kubernetes has types for. They are kept as they were written; their shape
//! is checked here, so that a mistyped one is told with its place and not by the cluster.

use serde_json::{Value as Json, json};

use crate::group::Word;
use crate::problem::Code;
use crate::reader::{Kind, Part, Reader};
use crate::setting::{Origin, Setting};
use crate::tree::{Node, Value};
use crate::unserved::{Key, Shape, key};

/// Declares a kind for a list of objects with these keys.
macro_rules! list_of {
    ($(#[doc = $doc:literal])* $name:ident, $keys:expr) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(pub Json);

        impl Default for $name {
            fn default() -> Self {
                $name(json!([]))
            }
        }

        impl Kind for $name {
            fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
                const SHAPE: Shape = Shape::ListOf($keys);
                SHAPE.check(node, reader).then(|| $name(node.to_json()))
            }

            fn from_env(_: &str, _: &str) -> Result<Self, String> {
                Err("written in a configuration file".to_owned())
            }

            fn schema() -> Json {
                const SHAPE: Shape = Shape::ListOf($keys);
                SHAPE.schema()
            }

            fn to_json(&self) -> Json {
                self.0.clone()
            }
        }
    };
}

const fn word(word: &'static str, doc: &'static str) -> Word {
    Word { word, doc }
}

const OPERATORS: &[Word] = &[
    word("Exists", "Any value of the key."),
    word("Equal", "The value given here."),
];

const EFFECTS: &[Word] = &[
    word("NoSchedule", "Pods are not put there."),
    word("PreferNoSchedule", "Pods are put elsewhere if that can be."),
    word("NoExecute", "Pods that are there are ended."),
];

const TOLERATION: &[Key] = &[
    key("key", Shape::Text, "The taint's key."),
    key("operator", Shape::Words(OPERATORS), "`Exists` or `Equal`."),
    key("value", Shape::Text, "The taint's value, for `Equal`."),
    key(
        "effect",
        Shape::Words(EFFECTS),
        "`NoSchedule`, `PreferNoSchedule` or `NoExecute`.",
    ),
    key(
        "tolerationSeconds",
        Shape::Number(i64::MAX as u64),
        "How long, for `NoExecute`.",
    ),
];

list_of! {
    /// Taints that are stood.
    Tolerations, TOLERATION
}

list_of! {
    /// Names of secrets.
    Secrets, &[key("name", Shape::Text, "The secret's name.")]
}

list_of! {
    /// Claims of dynamic resources.
    Claims, &[
        key("name", Shape::Text, "The claim's name."),
        key("request", Shape::Text, "The request in it."),
    ]
}

/// Amounts of resources by their names: `{"cpu": "100m", "memory": "64Mi"}`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quantities(pub Vec<(String, Setting<String>)>);

impl Kind for Quantities {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            reader.wrong_kind(node, "an object of resources and amounts");
            return None;
        };
        let mut amounts = Vec::new();
        let mut good = true;
        for entry in entries {
            reader.path.push(entry.key.clone());
            let written = match &entry.value.value {
                Value::Text(text) => Some(text.clone()),
                Value::Integer(number) => Some(number.to_string()),
                Value::Float(number) => Some(number.to_string()),
                _ => {
                    reader.wrong_kind(&entry.value, "an amount, as `\"64Mi\"`");
                    None
                }
            };
            match written {
                Some(text) if is_quantity(&text) => amounts.push((
                    entry.key.clone(),
                    Setting {
                        value: text,
                        origin: reader.origin(&entry.value.span),
                    },
                )),
                Some(text) => {
                    let name = reader.name("");
                    let message = format!(
                        "{name}: `{text}` is no amount; write a number with a unit of Kubernetes, \
                         as `100m`, `0.5`, `64Mi` or `1Gi`"
                    );
                    reader.error(Code::UnknownValue, &entry.value.span, message);
                    good = false;
                }
                None => good = false,
            }
            reader.path.pop();
        }
        good.then_some(Quantities(amounts))
    }

    fn from_env(_: &str, _: &str) -> Result<Self, String> {
        Err("written in a configuration file".to_owned())
    }

    fn schema() -> Json {
        let amount = json!({ "anyOf": [{ "type": "string" }, { "type": "number" }] });
        json!({ "type": "object", "additionalProperties": amount })
    }

    fn to_json(&self) -> Json {
        let amounts = self.0.iter();
        Json::Object(
            amounts
                .map(|(name, amount)| (name.clone(), json!(amount.value)))
                .collect(),
        )
    }

    fn parts(&self) -> Vec<Part> {
        let part = |(name, amount): &(String, Setting<String>)| Part {
            name: name.clone(),
            value: json!(amount.value),
            origin: Origin::clone(&amount.origin),
        };
        self.0.iter().map(part).collect()
    }
}

/// Kubernetes' own grammar of amounts
/// (<https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>).
fn is_quantity(text: &str) -> bool {
    let number = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = number
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(number.len());
    let (digits, unit) = number.split_at(end);
    let units = [
        "", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei",
    ];
    let exponent = unit.strip_prefix(['e', 'E']).is_some_and(|rest| {
        let rest = rest.strip_prefix(['+', '-']).unwrap_or(rest);
        !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit())
    });
    digits.bytes().any(|byte| byte.is_ascii_digit())
        && digits.matches('.').count() <= 1
        && (units.contains(&unit) || exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_kubernetes_own() {
        for text in [
            "1",
            "0.5",
            ".5",
            "100m",
            "64Mi",
            "1e3",
            "1E-3",
            "2E",
            "128974848000m",
        ] {
            assert!(is_quantity(text), "{text}");
        }
        for text in ["", "m", "64MB", "1 Gi", "0x10", "1.2.3", "1e", "."] {
            assert!(!is_quantity(text), "{text}");
        }
    }
}
