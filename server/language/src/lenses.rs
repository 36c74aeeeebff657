//! Code lenses over the target, and the edit that puts a chosen target into the file.

use ls_types::{CodeLens, Command, TextEdit};
use mirrord_config::Format;
use serde_json::json;

use crate::completion::is_plain_yaml;
use crate::document::Document;
use crate::syntax::NodeKind;

/// Debug, and run, what the user picks. Argument: `{uri}`.
pub const DEBUG: &str = "mirrord.debugWithMirrord";
/// See [`DEBUG`].
pub const RUN: &str = "mirrord.runWithMirrord";
/// Choose a target and write it into the file. Argument: `{uri}`.
pub const PICK_TARGET: &str = "mirrord.pickTarget";
/// Make this file the active one of its workspace. Argument: `{uri}`.
pub const SET_ACTIVE: &str = "mirrord.setActive";
/// Try to reach the target, with `mirrord/targets/describe`. Argument: `{uri, target, context?,
/// namespace?}`.
pub const TEST_CONNECTION: &str = "mirrord.testConnection";

impl Document {
    /// Lenses over `target`, or at the top of a file without one.
    pub fn code_lenses(&self) -> Vec<CodeLens> {
        let target = self.tree().root.entry("target");
        let span = target.map_or(0..0, |entry| entry.key.span.clone());
        let named = self.meant_target();
        let pick = if named.is_some() {
            "Change target…"
        } else {
            "Pick target…"
        };
        let uri = self.uri().as_str();
        let mut commands = vec![
            ("Debug", DEBUG, json!({ "uri": uri })),
            ("Run", RUN, json!({ "uri": uri })),
            (pick, PICK_TARGET, json!({ "uri": uri })),
            ("Set active", SET_ACTIVE, json!({ "uri": uri })),
        ];
        if let Some(target) = named {
            let mut arguments = json!({ "uri": uri, "target": target });
            // As `mirrord/targets/describe` takes them.
            for (name, value) in self.cluster().into_iter().flat_map(|cluster| {
                [
                    ("context", cluster.context),
                    ("namespace", cluster.namespace),
                ]
            }) {
                if let Some(value) = value {
                    arguments[name] = value.into();
                }
            }
            commands.push(("Test connection", TEST_CONNECTION, arguments));
        }
        let range = self.range(&span);
        let lens = |(title, command, argument): (&str, &str, serde_json::Value)| CodeLens {
            range,
            command: Some(Command {
                title: title.to_owned(),
                command: command.to_owned(),
                arguments: Some(vec![argument]),
            }),
            data: None,
        };
        commands.into_iter().map(lens).collect()
    }

    /// The edits that make this the file's target (`pod/x`). Comments and layout stay as they are.
    pub fn set_target(&self, target: &str) -> Vec<TextEdit> {
        let root = &self.tree().root;
        let quoted = match self.format() {
            Format::Yaml if is_plain_yaml(target) => target.to_owned(),
            _ => serde_json::Value::from(target).to_string(),
        };
        let written = root.get("target");
        let in_object = written.and_then(|node| node.get("path"));
        let value = in_object.or(written);
        if let Some(value) = value {
            let is_object = matches!(value.kind, NodeKind::Map(..));
            // `target: {namespace: x}` has no path yet, and a TOML table cannot be replaced in place.
            if !is_object {
                let space = if value.is_missing() { " " } else { "" };
                return vec![self.edit(value.span.clone(), format!("{space}{quoted}"))];
            }
            let entries = value.entries();
            let named = entries.iter().find(|entry| entry.key.text != "namespace");
            if in_object.is_none()
                && let (None, Some(first)) = (named, entries.first())
            {
                let at = first.key.span.start;
                return vec![self.edit(at..at, self.first_entry("path", &quoted, at))];
            }
            if self.format() == Format::Json || !self.text()[value.span.clone()].contains('\n') {
                return vec![self.edit(value.span.clone(), quoted)];
            }
            return Vec::new();
        }
        match (self.format(), &root.kind) {
            (Format::Json, NodeKind::Map(entries, _)) => {
                let at = root.span.start + 1;
                let comma = if entries.is_empty() { "\n" } else { "," };
                vec![self.edit(at..at, format!("\n  \"target\": {quoted}{comma}"))]
            }
            (Format::Json, _) => {
                let all = 0..self.text().len();
                let empty = self.text().trim().is_empty();
                let text = format!("{{\n  \"target\": {quoted}\n}}\n");
                empty.then(|| self.edit(all, text)).into_iter().collect()
            }
            (Format::Yaml, _) => vec![self.edit(0..0, format!("target: {quoted}\n"))],
            (Format::Toml, _) => vec![self.edit(0..0, format!("target = {quoted}\n"))],
        }
    }

    /// An entry in front of the one that begins here, on a line of its own where that one has one.
    fn first_entry(&self, key: &str, quoted: &str, at: usize) -> String {
        let start = crate::syntax::line_start(self.text(), at);
        let before = &self.text()[start..at];
        let own_line = before.trim().is_empty();
        let gap = if own_line {
            format!("\n{before}")
        } else {
            " ".to_owned()
        };
        match self.format() {
            Format::Json => format!("\"{key}\": {quoted},{gap}"),
            Format::Yaml if own_line => format!("{key}: {quoted}{gap}"),
            Format::Yaml => format!("{key}: {quoted},{gap}"),
            Format::Toml if own_line => format!("{key} = {quoted}{gap}"),
            Format::Toml => format!("{key} = {quoted},{gap}"),
        }
    }

    pub(crate) fn edit(&self, span: crate::syntax::Span, new_text: String) -> TextEdit {
        TextEdit {
            range: self.range(&span),
            new_text,
        }
    }
}
