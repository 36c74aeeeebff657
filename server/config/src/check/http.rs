//! Filters of HTTP requests: regular expressions, methods, `jq` programs and JSONPaths.

use std::ops::Range;

use jaq_core::load::{self, Lexer, Parser};
use serde_json_path::JsonPath;

use super::Checks;
use crate::config::Config;
use crate::config::http_filter::RequestFilter;
use crate::config::incoming::IncomingMode;
use crate::problem::{Code, Problem};
use crate::reader::inner_place;
use crate::setting::Setting;

const PREFIX: &str = "feature.network.incoming.http_filter";

impl Checks {
    pub(super) fn http(&mut self, config: &Config) {
        let incoming = &config.feature.network.incoming;
        let http = &incoming.http_filter;
        for (key, filter) in http.single() {
            self.filter(&format!("{PREFIX}.{key}"), &filter);
        }
        let mut set = http.set();
        if let (Some((first, _)), Some((second, origin))) = (set.next(), set.next()) {
            self.error(
                Code::Conflict,
                origin,
                &format!("{PREFIX}.{first} and .{second} cannot both be given"),
                "combine filters in a list, `all_of` or `any_of`",
            );
        }
        for (key, list) in [("all_of", &http.all_of), ("any_of", &http.any_of)] {
            if list.value.as_ref().is_some_and(|list| list.0.is_empty()) {
                let message = format!("{PREFIX}.{key} is empty");
                self.error(
                    Code::Missing,
                    &list.origin,
                    &message,
                    "list filters, or leave it out",
                );
            }
        }
        let Some((_, origin)) = http.first() else {
            if let Some(ports) = &http
                .ports
                .value
                .as_ref()
                .filter(|ports| !ports.0.is_empty())
            {
                let message = format!("{PREFIX}.ports has no effect without a filter");
                self.warning(Code::NoEffect, &ports.0[0].origin, &message);
            }
            return;
        };
        if incoming.mode.value.0 == IncomingMode::Off {
            let message = format!("{PREFIX} has no effect, for feature.network.incoming is off");
            self.warning(Code::NoEffect, origin, &message);
        }
        for port in http.ports.value.iter().flat_map(|ports| &ports.0) {
            let taken = incoming.ports.value.as_ref();
            let left_out = taken.is_some_and(|taken| !taken.values().contains(&port.value));
            let ignored = incoming.ignore_ports.value.values().contains(&port.value);
            if left_out || ignored {
                let why = if ignored {
                    "ignore_ports has it"
                } else {
                    "ports lacks it"
                };
                let message = format!(
                    "{PREFIX}.ports: port {} is never taken, for feature.network.incoming.{why}",
                    port.value
                );
                self.warning(Code::Conflict, &port.origin, &message);
            }
        }
    }

    fn filter(&mut self, key: &str, filter: &RequestFilter) {
        let (text, check): (_, fn(&mut Self, &str, &Setting<String>)) = match filter {
            RequestFilter::Header(text) | RequestFilter::Path(text) => (text, Self::regex),
            RequestFilter::Method(text) => (text, Self::method),
            RequestFilter::HeaderJq(text) => (text, Self::jq),
            RequestFilter::Body(body) => {
                self.not_empty(key, &body.matches, Self::regex);
                (&body.query, Self::json_path)
            }
        };
        self.not_empty(key, text, check);
    }

    fn not_empty(
        &mut self,
        key: &str,
        text: &Setting<String>,
        check: fn(&mut Self, &str, &Setting<String>),
    ) {
        if text.value.is_empty() {
            self.error(
                Code::Missing,
                &text.origin,
                &format!("{key} is empty"),
                "leave it out",
            );
        } else {
            check(self, key, text);
        }
    }

    /// A method is a token (RFC 9110).
    fn method(&mut self, key: &str, text: &Setting<String>) {
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if !text.value.chars().all(token) {
            let message = format!("{key}: `{}` is not a method", text.value);
            self.bad_filter(text, None, message).help =
                Some("name one, as `GET`; several are listed in `any_of`".to_owned());
        }
    }

    fn jq(&mut self, key: &str, text: &Setting<String>) {
        if let Err((at, why)) = jq_syntax(&text.value) {
            self.bad_filter(
                text,
                Some(at),
                format!("{key}: this is not a `jq` program: {why}"),
            );
        }
    }

    fn json_path(&mut self, key: &str, text: &Setting<String>) {
        // mirrord has the function `typeof` besides those of RFC 9535. Only the form is looked at
        // here, and that is the same as of `count`, which the parser knows.
        let query = text.value.replace("typeof(", " count(");
        if let Err(error) = JsonPath::parse(&query) {
            let at = error.position();
            let message = format!("{key}: this is not a JSONPath: {}", error.message());
            self.bad_filter(text, Some(at..at), message).help =
                Some("RFC 9535, as `$.items[*].name`".to_owned());
        }
    }

    fn bad_filter(
        &mut self,
        text: &Setting<String>,
        part: Option<Range<usize>>,
        message: String,
    ) -> &mut Problem {
        let part = part.filter(|part| text.value.is_char_boundary(part.start));
        let whole = 0..text.value.len();
        let place = inner_place(text, &part.unwrap_or(whole));
        let index = self.problems.len();
        self.problems
            .push(Problem::error(Code::BadFilter, message).at(place));
        &mut self.problems[index]
    }
}

/// Whether a text is a `jq` program; where not, and why.
fn jq_syntax(program: &str) -> Result<(), (Range<usize>, String)> {
    let place = |part: &str| load::span(program, part);
    let tokens = Lexer::new(program).lex().map_err(|errors| {
        let first = errors.into_iter().next();
        first.map_or((0..0, String::new()), |(expected, found)| {
            (place(found), format!("{} expected", expected.as_str()))
        })
    })?;
    Parser::new(&tokens)
        .parse(|parser| parser.term().map(|_| ()))
        .map_err(|errors| {
            let first = errors.into_iter().next();
            first.map_or((0..0, String::new()), |(expected, found)| {
                let found = load::lex::Token::opt_as_str(found, program);
                (place(found), format!("{} expected", expected.as_str()))
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jq_programs_are_told_from_other_texts() {
        for good in [
            ".",
            ". | startswith(\"x\")",
            "test(\"^a: b\")",
            "if . == \"x\" then true else false end",
        ] {
            assert_eq!(jq_syntax(good), Ok(()), "{good}");
        }
        for (bad, at) in [("", 0), (". |", 3), ("test(", 5), ("\"x", 2)] {
            let (span, why) = jq_syntax(bad).unwrap_err();
            assert_eq!(span.start, at, "{bad}: {why}");
            assert!(!why.is_empty());
        }
    }
}
