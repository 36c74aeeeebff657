//! `agent.image`: a whole name, or one of its two parts.

use serde_json::{Value as Json, json};

use crate::group::unknown_name;
use crate::reader::{Kind, Reader};
use crate::setting::Setting;
use crate::tree::{Node, Value};

/// The agent's image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Image {
    /// Its whole name: `ghcr.io/me/agent:1`.
    Whole(String),
    /// What is not given is as in the default.
    Parts {
        /// Registry and name: `ghcr.io/me/agent`.
        registry: Option<String>,
        /// Its tag.
        tag: Option<String>,
    },
}

impl Image {
    /// The whole name, with the rest from `default` (`REGISTRY:TAG`).
    pub fn name(&self, default: &str) -> String {
        match self {
            Image::Whole(name) => name.clone(),
            Image::Parts { registry, tag } => {
                let (other_registry, other_tag) = split(default);
                let registry = registry.as_deref().unwrap_or(other_registry);
                let tag = tag.as_deref().or(other_tag).unwrap_or("latest");
                format!("{registry}:{tag}")
            }
        }
    }

    /// Two variables of mirrord's that each give one part.
    pub(crate) fn read_parts(setting: &mut Setting<Option<Image>>, reader: &mut Reader) {
        let mut registry = Setting::<Option<String>>::default(None);
        let mut tag = Setting::<Option<String>>::default(None);
        let names = "MIRRORD_AGENT_IMAGE";
        if reader.env.contains_key(names) {
            return;
        }
        reader.overrule(
            "image.registry",
            &["MIRRORD_AGENT_IMAGE_REGISTRY"],
            &mut registry,
        );
        reader.overrule("image.tag", &["MIRRORD_AGENT_IMAGE_TAG"], &mut tag);
        let origin = match (&registry.value, &tag.value) {
            (None, None) => return,
            (Some(_), _) => registry.origin,
            (None, Some(_)) => tag.origin,
        };
        let (other_registry, other_tag) = match &setting.value {
            None => (None, None),
            Some(Image::Whole(name)) => {
                let (registry, tag) = split(name);
                (Some(registry.to_owned()), tag.map(str::to_owned))
            }
            Some(Image::Parts { registry, tag }) => (registry.clone(), tag.clone()),
        };
        *setting = Setting {
            value: Some(Image::Parts {
                registry: registry.value.or(other_registry),
                tag: tag.value.or(other_tag),
            }),
            origin,
        };
    }
}

/// Registry and tag; a colon before the last slash is a port's.
fn split(name: &str) -> (&str, Option<&str>) {
    match name.rsplit_once(':') {
        Some((registry, tag)) if !tag.contains('/') => (registry, Some(tag)),
        _ => (name, None),
    }
}

impl Kind for Image {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let entries = match &node.value {
            Value::Text(name) => return Some(Image::Whole(name.clone())),
            Value::Map(entries) => entries,
            _ => {
                reader.wrong_kind(node, "text or an object of `registry` and `tag`");
                return None;
            }
        };
        let (mut registry, mut tag) = (None, None);
        let mut good = true;
        for entry in entries {
            reader.path.push(entry.key.clone());
            let part = match &entry.key[..] {
                "registry" => &mut registry,
                "tag" => &mut tag,
                other => {
                    reader.path.pop();
                    unknown_name(&["registry", "tag"], other, &entry.key_span, reader);
                    good = false;
                    continue;
                }
            };
            *part = String::read(&entry.value, reader);
            good &= part.is_some();
            reader.path.pop();
        }
        good.then_some(Image::Parts { registry, tag })
    }

    fn from_env(text: &str, _: &str) -> Result<Self, String> {
        Ok(Image::Whole(text.to_owned()))
    }

    fn schema() -> Json {
        let part = |doc: &str| json!({ "type": "string", "description": doc });
        json!({ "anyOf": [
            { "type": "string" },
            {
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "registry": part("The image's registry and name."),
                    "tag": part("The image's tag."),
                },
            },
        ] })
    }

    fn to_json(&self) -> Json {
        match self {
            Image::Whole(name) => json!(name),
            Image::Parts { registry, tag } => {
                let parts = [("registry", registry), ("tag", tag)].into_iter();
                let given = parts.filter_map(|(name, part)| {
                    let part = part.as_ref()?;
                    Some((name.to_owned(), json!(part)))
                });
                Json::Object(given.collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_missing_part_is_the_defaults() {
        let default = "docker.io/ours/agent:1.2";
        let parts = |registry: Option<&str>, tag: Option<&str>| Image::Parts {
            registry: registry.map(str::to_owned),
            tag: tag.map(str::to_owned),
        };
        for (image, name) in [
            (Image::Whole("a/b@sha256:00".into()), "a/b@sha256:00"),
            (parts(Some("mine:5000/agent"), None), "mine:5000/agent:1.2"),
            (parts(None, Some("9")), "docker.io/ours/agent:9"),
        ] {
            assert_eq!(image.name(default), name);
        }
        assert_eq!(split("mine:5000/agent"), ("mine:5000/agent", None));
    }
}
