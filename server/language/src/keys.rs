//! The configuration's keys as its JSON Schema tells them: what may stand at a path, and what it
//! means. All of it comes from `mirrord-config`; nothing about single keys is written here.

use std::sync::LazyLock;

use serde_json::Value as Json;

use crate::syntax::Step;

static SCHEMA: LazyLock<Json> = LazyLock::new(mirrord_config::schema::json_schema);

/// A key that may stand in a map.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Property {
    pub(crate) name: &'static str,
    pub(crate) schema: &'static Json,
}

/// The forms that a value may have (an object, or `true`, or a word …).
#[derive(Debug, Clone, Default)]
pub(crate) struct Forms(Vec<&'static Json>);

/// What a value may be, roughly; in this order one is chosen to write for a new key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Shape {
    Object,
    List,
    Words,
    Truth,
    Text,
    Number,
    Anything,
}

impl Forms {
    /// What may stand at a path.
    pub(crate) fn at(path: &[Step]) -> Forms {
        path.iter()
            .fold(Forms::of(&SCHEMA), |forms, step| forms.below(step))
    }

    pub(crate) fn of(schema: &'static Json) -> Forms {
        let mut forms = Vec::new();
        collect(schema, &mut forms, 0);
        Forms(forms)
    }

    fn below(&self, step: &Step) -> Forms {
        let mut forms = Vec::new();
        for form in &self.0 {
            match step {
                Step::Key(key) => {
                    // A TOML header means the last of a list of tables.
                    let own = form
                        .get("properties")
                        .or_else(|| form.get("items")?.get("properties"));
                    match own.and_then(|own| own.get(key)) {
                        Some(schema) => collect(schema, &mut forms, 0),
                        None => collect_open(form.get("additionalProperties"), &mut forms),
                    }
                }
                Step::Index(_) => collect_open(form.get("items"), &mut forms),
            }
        }
        Forms(forms)
    }

    /// The keys of all forms that are objects, each once.
    pub(crate) fn properties(&self) -> Vec<Property> {
        let mut found: Vec<Property> = Vec::new();
        for form in &self.0 {
            let properties = form.get("properties").and_then(Json::as_object);
            for (name, schema) in properties.into_iter().flatten() {
                if !found.iter().any(|property| property.name == name) {
                    found.push(Property { name, schema });
                }
            }
        }
        found
    }

    /// The words that may be written.
    pub(crate) fn words(&self) -> Vec<&'static str> {
        let mut words: Vec<&str> = Vec::new();
        for form in &self.0 {
            let listed = form
                .get("enum")
                .and_then(Json::as_array)
                .into_iter()
                .flatten();
            for word in listed.chain(form.get("const")).filter_map(Json::as_str) {
                if !words.contains(&word) {
                    words.push(word);
                }
            }
        }
        words
    }

    pub(crate) fn has(&self, shape: Shape) -> bool {
        self.0.iter().any(|form| shape_of(form) == shape)
    }

    /// What to write for a new key.
    pub(crate) fn shape(&self) -> Shape {
        let shapes = self.0.iter().map(|form| shape_of(form));
        shapes.min().unwrap_or(Shape::Anything)
    }

    /// What the elements of a list may be.
    pub(crate) fn items(&self) -> Forms {
        self.below(&Step::Index(0))
    }

    /// The forms in a few words: `object, boolean, or one of …`.
    pub(crate) fn describe(&self) -> String {
        let mut parts: Vec<String> = Vec::new();
        for form in &self.0 {
            let part = match shape_of(form) {
                Shape::Object => "object".to_owned(),
                Shape::List => "list".to_owned(),
                Shape::Words => {
                    let words = Forms(vec![form]).words();
                    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                    words.join(" | ")
                }
                Shape::Truth => "`true` | `false`".to_owned(),
                Shape::Text => "text".to_owned(),
                Shape::Number => "number".to_owned(),
                Shape::Anything => continue,
            };
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
        parts.join(" | ")
    }
}

impl Property {
    pub(crate) fn doc(&self) -> Option<&'static str> {
        self.schema.get("description").and_then(Json::as_str)
    }

    pub(crate) fn is_deprecated(&self) -> bool {
        self.schema.get("deprecated") == Some(&Json::Bool(true))
    }

    pub(crate) fn default(&self) -> Option<&'static Json> {
        self.schema
            .get("default")
            .filter(|default| !default.is_null())
    }
}

/// The schema at a path itself, with its description.
pub(crate) fn property(path: &[Step]) -> Option<Property> {
    let (last, above) = path.split_last()?;
    let Step::Key(key) = last else {
        return None;
    };
    let properties = Forms::at(above).properties();
    properties.into_iter().find(|property| property.name == key)
}

/// All paths to objects with keys of their own, for TOML's headers.
pub(crate) fn tables() -> Vec<Vec<&'static str>> {
    fn visit(forms: &Forms, above: &[&'static str], found: &mut Vec<Vec<&'static str>>) {
        for property in forms.properties() {
            let below = Forms::of(property.schema);
            let mut path = above.to_vec();
            path.push(property.name);
            if below.has(Shape::Object) && path.len() <= 6 {
                found.push(path.clone());
                visit(&below, &path, found);
            }
        }
    }
    let mut found = Vec::new();
    visit(&Forms::at(&[]), &[], &mut found);
    found
}

fn shape_of(form: &Json) -> Shape {
    if form.get("enum").is_some() || form.get("const").is_some() {
        return Shape::Words;
    }
    match form.get("type").and_then(Json::as_str) {
        Some("object") => Shape::Object,
        Some("array") => Shape::List,
        Some("boolean") => Shape::Truth,
        Some("string") => Shape::Text,
        Some("integer" | "number") => Shape::Number,
        _ => Shape::Anything,
    }
}

/// The schemas that one stands for, without alternatives and references in between.
fn collect(schema: &'static Json, forms: &mut Vec<&'static Json>, depth: usize) {
    if depth > 16 {
        return;
    }
    let reference = schema.get("$ref").and_then(Json::as_str);
    if let Some(target) =
        reference.and_then(|reference| SCHEMA.pointer(reference.strip_prefix('#')?))
    {
        collect(target, forms, depth + 1);
    }
    for word in ["anyOf", "oneOf", "allOf"] {
        for form in schema
            .get(word)
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
        {
            collect(form, forms, depth + 1);
        }
    }
    let is_form = ["type", "enum", "const", "properties", "items"]
        .iter()
        .any(|word| schema.get(word).is_some());
    if is_form && schema.get("type").and_then(Json::as_str) != Some("null") {
        forms.push(schema);
    }
}

fn collect_open(schema: Option<&'static Json>, forms: &mut Vec<&'static Json>) {
    if let Some(schema) = schema.filter(|schema| schema.is_object()) {
        collect(schema, forms, 0);
    }
}
