//! Groups of keys. One declaration makes the Rust type, the reading, the defaults, the JSON Schema
//! and the hover texts, so that they cannot disagree.

mod former;
mod key;
mod names;
mod words;

use serde_json::Value as Json;

pub(crate) use key::paragraph;
pub use key::{KeyInfo, Status, Word};
pub(crate) use names::{nearest, unknown_key, unknown_name};
pub(crate) use words::{words, wrong_word};

use crate::effective::Visitor;
use crate::problem::Code;
use crate::reader::Reader;
use crate::tree::{Node, Span, Value};
use crate::unserved::Shape;

/// A group of keys.
pub trait Group: Default + Shorthand {
    /// Its keys.
    fn keys() -> Vec<KeyInfo>;
    /// Reads the value of one key; `false`: there is no such key.
    fn read_key(&mut self, key: &str, key_span: &Span, node: &Node, reader: &mut Reader) -> bool;
    /// Lets environment variables overrule what was read.
    fn read_env(&mut self, reader: &mut Reader);
    /// Sets one key, by its path below this group, from text of the command line; `false`: there
    /// is no such key.
    fn set_text(
        &mut self,
        path: &[&str],
        text: &str,
        flag: &'static str,
        reader: &mut Reader,
    ) -> bool;
    /// Shows every setting to a visitor.
    fn visit(&self, visitor: &mut Visitor);

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
                let problem = reader.error(Code::DuplicateKey, &entry.key_span, message);
                problem.help = Some("keep one of the two".to_owned());
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
    /// The words among them.
    fn shorthand_words() -> Vec<Word> {
        Vec::new()
    }
    /// The object that says the same as a shorthand, so that more can be said beside it.
    fn expanded(_shorthand: &Json) -> Option<Json> {
        None
    }
}

/// Reads a key that is recognised and not served, unless its value asks for nothing.
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
    reader.keep_unserved(node, status);
    reader.path.pop();
    if let (true, true, Some(sentence), Some((severity, code))) =
        (good, asks(node), status.sentence(), status.report())
    {
        let message = format!("{}: {sentence}", reader.name(key));
        let fix = match status {
            Status::Deprecated {
                replacement: Some(new),
                ..
            } => reader.renaming(key_span, new),
            _ => None,
        };
        reader.report(severity, code, key_span, message).fix = fix;
    }
}

/// Whether a value asks for anything.
pub(crate) fn asks(node: &Node) -> bool {
    !matches!(&node.value, Value::Null | Value::Bool(false))
        && !matches!(&node.value, Value::List(list) if list.is_empty())
        && !matches!(&node.value, Value::Map(map) if map.is_empty())
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
            // One group may have a single key.
            #[allow(clippy::vec_init_then_push)]
            fn keys() -> Vec<$crate::group::KeyInfo> {
                let mut keys = Vec::new();
                $($(
                    keys.push($crate::group::KeyInfo {
                        name: $skey,
                        doc: $crate::group::paragraph(concat!($($sdoc, "\n"),*)),
                        schema: <$stype as $crate::reader::Kind>::schema(),
                        default: $crate::reader::Kind::to_json(&{ let value: $stype = $default; value }),
                        env: $crate::group::names(&[$($env)?]),
                        status: $crate::group::Status::Served,
                        words: <$stype as $crate::reader::Kind>::words(),
                        children: None,
                    });
                )*)?
                $($(
                    keys.push($crate::group::KeyInfo {
                        name: $gkey,
                        doc: $crate::group::paragraph(concat!($($gdoc, "\n"),*)),
                        schema: <$gtype as $crate::group::Shorthand>::shorthand_schemas().into(),
                        default: serde_json::Value::Null,
                        env: &[],
                        status: $crate::group::Status::Served,
                        words: <$gtype as $crate::group::Shorthand>::shorthand_words(),
                        children: Some(<$gtype as $crate::group::Group>::keys()),
                    });
                )*)?
                $($(
                    keys.push($crate::unserved::key_info(
                        $ukey,
                        concat!($($udoc, "\n"),*),
                        &$shape,
                        $status,
                        $crate::group::names(&[$($uenv)?]),
                    ));
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
                $($( $crate::unserved::read_env(
                    $ukey, &$shape, $status, $crate::group::names(&[$($uenv)?]), reader,
                ); )*)?
                let _ = reader;
            }

            fn set_text(
                &mut self,
                path: &[&str],
                text: &str,
                flag: &'static str,
                reader: &mut $crate::reader::Reader,
            ) -> bool {
                let _ = (text, flag, &reader);
                match path {
                    $($( [$skey] => {
                        reader.flag($skey, text, flag, &mut self.$sfield);
                        true
                    } )*)?
                    $($( [$gkey, rest @ ..] => {
                        reader.path.push($gkey.to_owned());
                        let known =
                            $crate::group::Group::set_text(&mut self.$gfield, rest, text, flag, reader);
                        reader.path.pop();
                        known
                    } )*)?
                    _ => false,
                }
            }

            fn visit(&self, visitor: &mut $crate::effective::Visitor) {
                $($( visitor.setting($skey, &self.$sfield); )*)?
                $($( visitor.group($gkey, &self.$gfield); )*)?
                let _ = visitor;
            }
        }
    };
}
pub(crate) use group;
