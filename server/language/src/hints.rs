//! Inlay hints: what templates come out as, and what is known about the target just now.

use ls_types::{InlayHint, InlayHintKind, InlayHintLabel, Range};
use mirrord_config::{Surroundings, template_values};

use crate::document::Document;
use crate::live::Live;
use crate::syntax::{NodeKind, Span};

/// Longer values are cut: a hint is a glance.
const LONGEST: usize = 40;

impl Document {
    /// Hints within a range.
    pub fn inlay_hints(
        &self,
        range: Range,
        live: &dyn Live,
        surroundings: &Surroundings<'_>,
    ) -> Vec<InlayHint> {
        let shown = self.span(range);
        let mut hints = Vec::new();
        for (span, value) in self.template_values(surroundings) {
            hints.push((span.end, format!("= {}", cut(&value))));
        }
        hints.extend(self.target_hint(live));
        hints.retain(|(at, _)| shown.start <= *at && *at <= shown.end);
        hints.sort();
        let hint = |(at, label): (usize, String)| InlayHint {
            position: self.position(at),
            label: InlayHintLabel::String(label),
            kind: Some(InlayHintKind::TYPE),
            text_edits: None,
            tooltip: None,
            padding_left: Some(true),
            padding_right: None,
            data: None,
        };
        hints.into_iter().map(hint).collect()
    }

    /// What templates come out as, but for values that are nobody's business.
    pub(crate) fn template_values(&self, surroundings: &Surroundings<'_>) -> Vec<(Span, String)> {
        let values = template_values(self.text(), self.format(), surroundings).into_iter();
        let shown = |(span, value): (Span, String)| {
            let secret = names_a_secret(&self.text()[span.clone()]);
            (
                span,
                if secret {
                    "•••".to_owned()
                } else {
                    value
                },
            )
        };
        values.map(shown).collect()
    }

    /// How many pods the target has, or whatever is known about it.
    fn target_hint(&self, live: &dyn Live) -> Option<(usize, String)> {
        let target = self.target()?;
        let node = self.tree().root.get("target")?;
        let node = node.get("path").unwrap_or(node);
        if !matches!(node.kind, NodeKind::Scalar(_)) {
            return None;
        }
        let targets = live.targets(self.namespace());
        let found = targets.into_iter().find(|found| found.path == target)?;
        Some((node.span.end, cut(&found.detail?)))
    }
}

/// Whether a template asks for a variable whose name says that its value is nobody's business.
fn names_a_secret(template: &str) -> bool {
    let upper = template.to_uppercase();
    let words = [
        "SECRET",
        "TOKEN",
        "PASSWORD",
        "PASSWD",
        "CREDENTIAL",
        "PRIVATE",
        "API_KEY",
        "APIKEY",
        "ACCESS_KEY",
    ];
    upper.contains("GET_ENV") && words.iter().any(|word| upper.contains(word))
}

fn cut(value: &str) -> String {
    let line = value.lines().next().unwrap_or("");
    if line.len() < value.len() || line.chars().count() > LONGEST {
        let kept: String = line.chars().take(LONGEST).collect();
        return format!("{kept}…");
    }
    line.to_owned()
}
