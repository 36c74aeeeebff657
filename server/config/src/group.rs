//! Groups of keys. One declaration makes the Rust type, the reading, the defaults, the JSON Schema
//! and the hover texts, so that they cannot disagree.

use serde_json::Value as Json;

use crate::reader::Reader;
use crate::tree::{Node, Span, Value};
use crate::unserved::Shape;

/// What we do with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// What it says.
    Served,
    /// Nothing yet.
    NotYet(&'static str),
    /// Nothing: it belongs to mirrord's paid operator.
    Operator(&'static str),
    /// Nothing: there is nothing to do here, and why.
    NotNeeded(&'static str),
}

impl Status {
    /// The sentence for a warning or a hover text.
    pub fn sentence(self) -> Option<String> {
        match self {
            Status::Served => None,
            Status::NotYet(why) => Some(format!("not yet: {why}")),
            Status::Operator(why) => {
                Some(format!("only mirrord's paid operator serves this: {why}"))
            }
            Status::NotNeeded(why) => Some(format!("this has no effect: {why}")),
        }
    }
}

/// A key, for schema, hover and suggestions.
#[derive(Debug, Clone)]
pub struct KeyInfo {
    /// Its name.
    pub name: &'static str,
    /// What it means.
    pub doc: &'static str,
    /// JSON Schema of its values; of shorthand forms only, when it has keys below it.
    pub schema: Json,
    /// Its default, or null.
    pub default: Json,
    /// Environment variables that set it, the first one wins.
    pub env: &'static [&'static str],
    /// What we do with it.
    pub status: Status,
    /// The keys below it.
    pub children: Option<Vec<KeyInfo>>,
}

/// A group of keys.
pub trait Group: Default + Shorthand {
    /// Its keys.
    fn keys() -> Vec<KeyInfo>;
    /// Reads the value of one key; `false`: there is no such key.
    fn read_key(&mut self, key: &str, key_span: &Span, node: &Node, reader: &mut Reader) -> bool;
    /// Lets environment variables overrule what was read.
    fn read_env(&mut self, reader: &mut Reader);

    /// Reads the whole group.
    fn read(&mut self, node: &Node, reader: &mut Reader) {
        if node.value == Value::Null || self.read_shorthand(node, reader) {
            return;
        }
        let Value::Map(entries) = &node.value else {
            let expected = match Self::shorthands().as_slice() {
                [] => "an object".to_owned(),
                forms => format!("an object, or {}", forms.join(", or ")),
            };
            reader.wrong_kind(node, &expected);
            return;
        };
        for (index, entry) in entries.iter().enumerate() {
            if entries[..index].iter().any(|other| other.key == entry.key) {
                let message = format!("key `{}` stands here twice", reader.name(&entry.key));
                reader.error(
                    &entry.key_span,
                    message,
                    Some("keep one of the two".to_owned()),
                );
            } else if entry.key == "$schema" && reader.path.is_empty() {
                // Editors' own.
            } else if !self.read_key(&entry.key, &entry.key_span, &entry.value, reader) {
                unknown_key(&Self::keys(), &entry.key, &entry.key_span, reader);
            }
        }
    }
}

/// Forms of a group other than an object of its keys (`true`, `"read"`).
pub trait Shorthand {
    /// Reads one; `false`: it is none.
    fn read_shorthand(&mut self, _node: &Node, _reader: &mut Reader) -> bool {
        false
    }
    /// What they are, for messages.
    fn shorthands() -> Vec<&'static str> {
        Vec::new()
    }
    /// Their JSON Schemas.
    fn shorthand_schemas() -> Vec<Json> {
        Vec::new()
    }
}

pub(crate) fn unknown_key(known: &[KeyInfo], key: &str, span: &Span, reader: &mut Reader) {
    let names: Vec<&str> = known.iter().map(|key| key.name).collect();
    unknown_name(&names, key, span, reader);
}

pub(crate) fn unknown_name(known: &[&str], key: &str, span: &Span, reader: &mut Reader) {
    let near = known
        .iter()
        .map(|name| {
            (
                strsim::damerau_levenshtein(&key.to_lowercase(), name),
                *name,
            )
        })
        .filter(|(distance, name)| *distance <= (name.len() / 3).max(1))
        .min();
    let elsewhere = || {
        crate::schema::paths_ending_in(key)
            .into_iter()
            .min_by_key(|path| path.len())
    };
    let help = match near {
        Some((_, name)) => format!("did you mean `{name}`?"),
        None => match elsewhere() {
            Some(path) if path == key => format!("`{key}` belongs to the top of the file"),
            Some(path) => format!("did you mean `{path}`?"),
            None => format!("known keys here: {}", known.join(", ")),
        },
    };
    let message = format!("unknown key `{key}` in {}", reader.name(""));
    reader.error(span, message, Some(help));
}

/// Reports a key that is recognised and not served, unless its value asks for nothing.
pub(crate) fn read_unserved(
    key: &str,
    key_span: &Span,
    node: &Node,
    shape: &Shape,
    status: Status,
    reader: &mut Reader,
) {
    reader.path.push(key.to_owned());
    let good = shape.check(node, reader);
    reader.path.pop();
    let asks = !matches!(&node.value, Value::Null | Value::Bool(false))
        && !matches!(&node.value, Value::List(list) if list.is_empty())
        && !matches!(&node.value, Value::Map(map) if map.is_empty());
    if let (true, true, Some(sentence)) = (good, asks, status.sentence()) {
        let message = format!("{}: {sentence}", reader.name(key));
        reader.warning(key_span, message, None);
    }
}

/// The one list of names that there may be.
pub(crate) fn names(lists: &[&'static [&'static str]]) -> &'static [&'static str] {
    lists.first().copied().unwrap_or(&[])
}

/// Declares a group. Settings have a default and may have environment variables; groups lie below;
/// unserved keys have a shape and the reason why nothing is done with them.
macro_rules! group {
    (
        $(#[doc = $doc:literal])*
        pub struct $name:ident {
            $( settings { $(
                $(#[doc = $sdoc:literal])*
                $skey:literal $sfield:ident : $stype:ty = $default:expr $(, env $env:expr)? ;
            )* } )?
            $( groups { $(
                $(#[doc = $gdoc:literal])*
                $gkey:literal $gfield:ident : $gtype:ty ;
            )* } )?
            $( unserved { $(
                $(#[doc = $udoc:literal])*
                $ukey:literal : $shape:expr , $status:expr $(, env $uenv:expr)? ;
            )* } )?
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            $($( $(#[doc = $sdoc])* pub $sfield: $crate::setting::Setting<$stype>, )*)?
            $($( $(#[doc = $gdoc])* pub $gfield: $gtype, )*)?
        }

        impl Default for $name {
            fn default() -> Self {
                $name {
                    $($( $sfield: $crate::setting::Setting::default($default), )*)?
                    $($( $gfield: <$gtype>::default(), )*)?
                }
            }
        }

        impl $crate::group::Group for $name {
            fn keys() -> Vec<$crate::group::KeyInfo> {
                let mut keys = Vec::new();
                $($(
                    keys.push($crate::group::KeyInfo {
                        name: $skey,
                        doc: concat!($($sdoc, "\n"),*),
                        schema: <$stype as $crate::reader::Kind>::schema(),
                        default: $crate::reader::Kind::to_json(&{ let value: $stype = $default; value }),
                        env: $crate::group::names(&[$($env)?]),
                        status: $crate::group::Status::Served,
                        children: None,
                    });
                )*)?
                $($(
                    keys.push($crate::group::KeyInfo {
                        name: $gkey,
                        doc: concat!($($gdoc, "\n"),*),
                        schema: <$gtype as $crate::group::Shorthand>::shorthand_schemas().into(),
                        default: serde_json::Value::Null,
                        env: &[],
                        status: $crate::group::Status::Served,
                        children: Some(<$gtype as $crate::group::Group>::keys()),
                    });
                )*)?
                $($(
                    keys.push($crate::group::KeyInfo {
                        name: $ukey,
                        doc: concat!($($udoc, "\n"),*),
                        schema: $shape.schema(),
                        default: serde_json::Value::Null,
                        env: $crate::group::names(&[$($uenv)?]),
                        status: $status,
                        children: None,
                    });
                )*)?
                keys
            }

            fn read_key(
                &mut self,
                key: &str,
                key_span: &$crate::tree::Span,
                node: &$crate::tree::Node,
                reader: &mut $crate::reader::Reader,
            ) -> bool {
                let _ = key_span;
                match key {
                    $($( $skey => reader.setting(key, node, &mut self.$sfield), )*)?
                    $($( $gkey => {
                        reader.path.push(key.to_owned());
                        $crate::group::Group::read(&mut self.$gfield, node, reader);
                        reader.path.pop();
                    } )*)?
                    $($( $ukey => $crate::group::read_unserved(
                        key, key_span, node, &$shape, $status, reader,
                    ), )*)?
                    _ => return false,
                }
                true
            }

            fn read_env(&mut self, reader: &mut $crate::reader::Reader) {
                $($($( reader.overrule($skey, $env, &mut self.$sfield); )?)*)?
                $($(
                    reader.path.push($gkey.to_owned());
                    $crate::group::Group::read_env(&mut self.$gfield, reader);
                    reader.path.pop();
                )*)?
                $($($( reader.unserved_env($ukey, $uenv, $status); )?)*)?
                let _ = reader;
            }
        }
    };
}
pub(crate) use group;

/// Declares an enum of words.
macro_rules! words {
    (
        $(#[doc = $doc:literal])*
        pub enum $name:ident { $( $(#[doc = $wdoc:literal])* $variant:ident = $word:literal, )* }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $( $(#[doc = $wdoc])* $variant, )* }

        impl $name {
            const WORDS: &'static [(&'static str, $name)] = &[$( ($word, $name::$variant) ),*];

            /// The word in a configuration.
            pub fn as_str(self) -> &'static str {
                match self { $( $name::$variant => $word, )* }
            }

            fn from_word(word: &str) -> Option<Self> {
                Self::WORDS.iter().find(|(name, _)| *name == word).map(|(_, value)| *value)
            }

            fn expected() -> String {
                let words: Vec<_> = Self::WORDS.iter().map(|(word, _)| format!("`{word}`")).collect();
                format!("one of {}", words.join(", "))
            }
        }

        impl $crate::reader::Kind for $name {
            fn read(
                node: &$crate::tree::Node,
                reader: &mut $crate::reader::Reader,
            ) -> Option<Self> {
                let value = match &node.value {
                    $crate::tree::Value::Text(word) => Self::from_word(word),
                    _ => None,
                };
                if value.is_none() {
                    let message = format!("{} must be {}", reader.name(""), Self::expected());
                    reader.error(&node.span, message, None);
                }
                value
            }

            fn from_env(text: &str, _: &str) -> Result<Self, String> {
                Self::from_word(text).ok_or_else(Self::expected)
            }

            fn schema() -> serde_json::Value {
                let words: Vec<_> = Self::WORDS.iter().map(|(word, _)| *word).collect();
                serde_json::json!({ "enum": words })
            }

            fn to_json(&self) -> serde_json::Value {
                serde_json::json!(self.as_str())
            }
        }
    };
}
pub(crate) use words;
