//! Templates in configuration files (Tera, as in mirrord), and the way back from the rendered
//! text to what the author wrote.
//!
//! Before rendering, each stretch of plain text and each `{{ … }}` gets an invisible mark in front
//! (private-use characters around its number). The marks come out in the rendered text wherever
//! that stretch came out, also inside loops, and are taken out again with their places noted.
//! Whitespace control (`{%-`) would trim the marks instead of the text around: such files are
//! rendered without, and their positions are those of the rendered text.

use std::collections::HashMap;
use std::ops::Range;

use tera::{Context, Tera};

/// Around a mark's number; never in a sensible configuration.
const MARK: (char, char) = ('\u{F8F0}', '\u{F8F1}');

/// A rendered text that knows where its parts come from.
#[derive(Debug, Clone)]
pub(crate) struct Rendered {
    pub(crate) text: String,
    /// Stretches in the order of the rendered text. `None`: rendered without a way back.
    pieces: Option<Vec<Piece>>,
}

#[derive(Debug, Clone)]
struct Piece {
    /// Where it begins in the rendered text; it reaches to the next.
    start: usize,
    /// What it was in the source.
    source: Range<usize>,
    /// It is what an expression made.
    expression: bool,
}

/// A template that cannot be rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TemplateError {
    pub(crate) message: String,
    /// In the source, when known.
    pub(crate) span: Option<Range<usize>>,
}

impl Rendered {
    /// Text without templates.
    pub(crate) fn plain(text: &str) -> Self {
        let whole = Piece {
            start: 0,
            source: 0..text.len(),
            expression: false,
        };
        Rendered {
            text: text.to_owned(),
            pieces: Some(vec![whole]),
        }
    }

    /// The author's part of a range of the rendered text, and whether a template made any of it.
    /// `None`: there is no way back.
    pub(crate) fn source(&self, range: &Range<usize>) -> Option<(Range<usize>, bool)> {
        let pieces = self.pieces.as_ref()?;
        let index = |at: usize| {
            pieces
                .partition_point(|piece| piece.start <= at)
                .saturating_sub(1)
        };
        let (first, last) = (
            index(range.start),
            index(range.end.max(range.start + 1) - 1),
        );
        let begin = pieces.get(first)?;
        let end = pieces.get(last)?;
        let start = if begin.expression {
            begin.source.start
        } else {
            (begin.source.start + (range.start - begin.start)).min(begin.source.end)
        };
        let stop = if end.expression {
            end.source.end
        } else {
            (end.source.start + (range.end - end.start.min(range.end))).min(end.source.end)
        };
        let made = pieces[first..=last].iter().any(|piece| piece.expression);
        Some((start..stop.max(start), made))
    }

    /// Each `{{ … }}` of the author's text with what it came out as; once each, the first time.
    pub(crate) fn expressions(&self) -> Vec<(Range<usize>, String)> {
        let pieces = self.pieces.as_deref().unwrap_or(&[]);
        let mut found: Vec<(Range<usize>, String)> = Vec::new();
        for (index, piece) in pieces.iter().enumerate() {
            let end = pieces
                .get(index + 1)
                .map_or(self.text.len(), |next| next.start);
            let known = found.iter().any(|(source, _)| *source == piece.source);
            if piece.expression && !known {
                let value = self.text.get(piece.start..end).unwrap_or("");
                found.push((piece.source.clone(), value.to_owned()));
            }
        }
        found
    }

    /// Whether positions can be led back to the author's text.
    pub(crate) fn is_traceable(&self) -> bool {
        self.pieces.is_some()
    }
}

/// Whether a text has anything to render.
pub(crate) fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|open| text.contains(open))
}

/// Renders a text with these variables; `env` answers `get_env`.
pub(crate) fn render(
    text: &str,
    variables: &[(&str, String)],
    env: &HashMap<String, String>,
) -> Result<Rendered, TemplateError> {
    let trims = ["{%-", "-%}", "{{-", "-}}", "{#-", "-#}"]
        .iter()
        .any(|trim| text.contains(trim));
    if trims || text.contains([MARK.0, MARK.1]) {
        let rendered = run(text, text, variables, env)?;
        return Ok(Rendered {
            text: rendered,
            pieces: None,
        });
    }
    let stretches = stretches(text);
    let mut marked = String::new();
    for (number, stretch) in stretches.iter().enumerate() {
        if !stretch.statement {
            marked.push_str(&format!("{}{number}{}", MARK.0, MARK.1));
        }
        marked.push_str(&text[stretch.source.clone()]);
    }
    let rendered = run(&marked, text, variables, env)?;
    Ok(unmark(&rendered, &stretches))
}

struct Stretch {
    source: Range<usize>,
    expression: bool,
    /// `{% … %}` or `{# … #}`: leaves nothing behind.
    statement: bool,
}

fn stretches(text: &str) -> Vec<Stretch> {
    let mut stretches = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let open = text[at..].find('{').map(|brace| at + brace);
        let tag = open.map(|open| {
            let close = match text.as_bytes().get(open + 1) {
                Some(b'{') => "}}",
                Some(b'%') => "%}",
                Some(b'#') => "#}",
                _ => return (open, None),
            };
            (open, text[open..].find(close).map(|end| open + end + 2))
        });
        let (plain_end, tag) = match tag {
            None => (text.len(), None),
            // A brace of the configuration itself: plain text goes on after it.
            Some((open, None)) => (open + 1, None),
            Some((open, Some(end))) => (open, Some(open..end)),
        };
        if plain_end > at {
            match stretches.last_mut() {
                Some(Stretch {
                    source,
                    expression: false,
                    statement: false,
                }) if source.end == at => {
                    source.end = plain_end;
                }
                _ => stretches.push(Stretch {
                    source: at..plain_end,
                    expression: false,
                    statement: false,
                }),
            }
        }
        at = plain_end;
        if let Some(source) = tag {
            at = source.end;
            let expression = text[source.clone()].starts_with("{{");
            stretches.push(Stretch {
                source,
                expression,
                statement: !expression,
            });
        }
    }
    stretches
}

fn unmark(rendered: &str, stretches: &[Stretch]) -> Rendered {
    let mut text = String::new();
    let mut pieces = Vec::new();
    let mut rest = rendered;
    while let Some(open) = rest.find(MARK.0) {
        text.push_str(&rest[..open]);
        let after = &rest[open + MARK.0.len_utf8()..];
        let Some(close) = after.find(MARK.1) else {
            break;
        };
        if let Some(stretch) = after[..close]
            .parse()
            .ok()
            .and_then(|n: usize| stretches.get(n))
        {
            pieces.push(Piece {
                start: text.len(),
                source: stretch.source.clone(),
                expression: stretch.expression,
            });
        }
        rest = &after[close + MARK.1.len_utf8()..];
    }
    text.push_str(rest);
    Rendered {
        text,
        pieces: Some(pieces),
    }
}

/// Renders `marked`; errors speak of `source`.
fn run(
    marked: &str,
    source: &str,
    variables: &[(&str, String)],
    env: &HashMap<String, String>,
) -> Result<String, TemplateError> {
    let mut context = Context::new();
    variables
        .iter()
        .for_each(|(name, value)| context.insert(*name, value));
    let mut tera = Tera::default();
    let env = env.clone();
    // As Tera's own, but from the environment that we were given.
    tera.register_function(
        "get_env",
        move |arguments: &HashMap<String, tera::Value>| {
            let name = arguments
                .get("name")
                .and_then(|name| name.as_str())
                .ok_or_else(|| tera::Error::msg("`get_env` needs a text as `name`"))?;
            match (env.get(name), arguments.get("default")) {
                (Some(value), _) => Ok(tera::Value::String(value.clone())),
                (None, Some(default)) => Ok(default.clone()),
                (None, None) => Err(tera::Error::msg(format!(
                    "environment variable `{name}` is not set (add `default=…`)"
                ))),
            }
        },
    );
    let result = tera
        .add_raw_template("configuration", marked)
        .and_then(|()| tera.render("configuration", &context));
    result.map_err(|error| explain(&error, marked, source))
}

fn explain(error: &tera::Error, marked: &str, source: &str) -> TemplateError {
    let mut causes = Vec::new();
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    // The outer messages only say that rendering failed; the last says why.
    let last = causes.last().map_or("", String::as_str);
    if let Some((at, why)) = syntax_error(last, marked, marked != source) {
        return TemplateError {
            message: format!("the template cannot be rendered: {why}"),
            span: Some(at..at),
        };
    }
    let message = last.replace(" while rendering 'configuration'", "");
    let named = message.split('`').nth(1).filter(|name| !name.is_empty());
    let span = stretches(source)
        .into_iter()
        .filter(|stretch| stretch.expression || stretch.statement)
        .map(|stretch| stretch.source)
        .find(|tag| named.is_some_and(|name| source[tag.clone()].contains(name)));
    TemplateError {
        message: format!("the template cannot be rendered: {}", message.trim()),
        span,
    }
}

/// Takes Tera's report of a syntax error apart, which shows the marked text over several lines:
/// ` --> LINE:COLUMN`, an excerpt, and at last ` = REASON`. The place is one of the source.
fn syntax_error(report: &str, marked: &str, has_marks: bool) -> Option<(usize, String)> {
    let mut lines = report.lines();
    let place = lines.find_map(|line| line.trim_start().strip_prefix("--> "))?;
    let (line, column) = place.trim().split_once(':')?;
    let (line, column): (usize, usize) = (line.parse().ok()?, column.parse().ok()?);
    let why = lines.find_map(|line| line.trim_start().strip_prefix("= "))?;

    let (mut at, mut in_mark) = (0, false);
    let (mut at_line, mut at_column) = (1, 1);
    for character in marked.chars() {
        let begins_mark = has_marks && character == MARK.0;
        if (at_line, at_column) >= (line, column) && !in_mark && !begins_mark {
            break;
        }
        (at_line, at_column) = match character {
            '\n' => (at_line + 1, 1),
            _ => (at_line, at_column + 1),
        };
        in_mark |= begins_mark;
        if !in_mark {
            at += character.len_utf8();
        }
        in_mark &= character != MARK.1;
    }
    Some((at, why.to_owned()))
}

#[cfg(test)]
mod tests;
