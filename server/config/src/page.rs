//! The page of the configuration, made from its keys so that it is never out of date.

use std::fmt::Write;

use serde_json::Value as Json;

use crate::group::{KeyInfo, Status};
use crate::problem::Code;
use crate::schema;

const INTRODUCTION: &str = "\
# Configuration

<!-- Made by `cargo xtask schemas` from `server/config`; change it there. -->

The format is mirrord's, so a team's files work as they are: JSON, YAML or TOML, with templates.
Every key may be left out; without any configuration incoming traffic is mirrored, files are
read-only, and nothing in the target is disrupted.

- **Where.** A file that is named for the run counts first, then the workspace's active file, then
  `MIRRORD_CONFIG_FILE` of the launch and of the environment, then the first by name of
  `.mirrord/*mirrord.{json,toml,yml,yaml}` in the folder. Of several folders each has its own.
- **What counts.** Command line over environment variables over the file over the default.
- **Templates** are [Tera](https://keats.github.io/tera/docs/)'s: `{{ key }}`, `{{ git_branch }}`,
  `{{ get_env(name=\"USER\", default=\"me\") }}`, and its filters.
- `mirrord-server config verify` tells what is wrong with a file, as an editor shows it.
- JSON Schema: `schemas/mirrord-config.schema.json`.

Marks: ⏳ not yet · 💲 answered by mirrord's paid operator only · ∅ has no effect here ·
✗ deprecated. All of them are recognised, so a file that has them still works.

## Keys
";

/// The whole page as Markdown.
pub fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    keys(&mut page, schema::keys(), "");
    page.push_str("\n## Codes of problems\n\n| code | meaning |\n|---|---|\n");
    for code in Code::ALL {
        let _ = writeln!(page, "| `{code}` | {} |", code.meaning());
    }
    page
}

fn keys(page: &mut String, keys: &[KeyInfo], above: &str) {
    for key in keys {
        let path = format!("{above}{}", key.name);
        let _ = writeln!(page, "\n### `{path}`{}\n\n{}", mark(key.status), key.doc);
        if let Some(sentence) = key.status.sentence() {
            let _ = writeln!(page, "\n*{}*", capital(&sentence));
        }
        let mut facts = vec![format!("Type: {}", types(key))];
        if !key.default.is_null() {
            facts.push(format!("default: `{}`", key.default));
        }
        if !key.env.is_empty() {
            let names: Vec<String> = key.env.iter().map(|name| format!("`{name}`")).collect();
            facts.push(format!("environment: {}", names.join(", ")));
        }
        let _ = writeln!(page, "\n{}", facts.join(" · "));
        if !key.words.is_empty() {
            page.push('\n');
            for word in &key.words {
                let _ = writeln!(page, "- `{}`: {}", word.word, word.doc);
            }
        }
        if let Some(children) = &key.children {
            self::keys(page, children, &format!("{path}."));
        }
    }
}

fn mark(status: Status) -> &'static str {
    match status {
        Status::Served => "",
        Status::NotYet(_) => " ⏳",
        Status::Operator(_) => " 💲",
        Status::NotNeeded(_) => " ∅",
        Status::Deprecated { .. } => " ✗",
    }
}

fn capital(sentence: &str) -> String {
    let mut letters = sentence.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}

/// `object, true or false, one of the words`.
fn types(key: &KeyInfo) -> String {
    let mut types: Vec<String> = Vec::new();
    if key.children.is_some() {
        types.push("object".to_owned());
    }
    match &key.schema {
        Json::Array(shorthands) => shorthands
            .iter()
            .for_each(|form| describe(form, &mut types)),
        form => describe(form, &mut types),
    }
    types.dedup();
    types.join(", or ")
}

fn describe(form: &Json, types: &mut Vec<String>) {
    if let Some(forms) = form.get("anyOf").and_then(Json::as_array) {
        forms.iter().for_each(|form| describe(form, types));
        return;
    }
    let text = match form.get("type").and_then(Json::as_str) {
        Some("boolean") => "`true` or `false`".to_owned(),
        Some("integer") => match form.get("maximum").and_then(Json::as_u64) {
            Some(most) if most < u64::from(u32::MAX) => format!("a number from 0 to {most}"),
            _ => "a whole number".to_owned(),
        },
        Some("string") => "text".to_owned(),
        Some("array") => {
            let mut inner = Vec::new();
            describe(form.get("items").unwrap_or(&Json::Null), &mut inner);
            inner.dedup();
            format!("a list of {}", inner.join(" or "))
        }
        Some("object") => "object".to_owned(),
        _ if form.get("enum").is_some() => "one of the words below".to_owned(),
        _ => "anything".to_owned(),
    };
    if !types.contains(&text) {
        types.push(text);
    }
}
