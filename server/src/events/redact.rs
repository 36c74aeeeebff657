//! What looks like a secret is not shown: events and logs are read over shoulders, pasted into
//! issues and kept in files. Values of environment variables are in no event at all; this is for
//! words that come from elsewhere (errors, addresses, log lines).

use std::borrow::Cow;
use std::sync::LazyLock;

use mirrord_protocol::event::EventKind;
use regex::Regex;

/// Patterns, and what is shown instead of a match.
static SECRETS: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    [
        // A header's whole value, which may be of several words.
        (
            r"(?i)\b((?:proxy-)?authorization|set-cookie|cookie)(\s*[:=]\s*)[^\r\n]+",
            "${1}${2}***",
        ),
        // NAME=value, name: value, "name": "value", ?name=value&.
        (
            r#"(?i)\b([\w.-]*(?:token|secret|passw(?:or)?d|passphrase|credential|api[_-]?key|access[_-]?key|private[_-]?key|signature)[\w.-]*"?\s*[=:]\s*"?)[^\s"&,;]+"#,
            "${1}***",
        ),
        // scheme://user:password@host
        (r"(://[^\s/:@]+:)[^\s/@]+@", "${1}***@"),
    ]
    .into_iter()
    // The patterns are constants, and a test reads them all.
    .filter_map(|(pattern, shown)| Some((Regex::new(pattern).ok()?, shown)))
    .collect()
});

/// The text without what looks like a secret.
pub fn redacted(text: &str) -> Cow<'_, str> {
    if !text.contains(['=', ':']) {
        return Cow::Borrowed(text);
    }
    let mut text = Cow::Borrowed(text);
    for (pattern, shown) in SECRETS.iter() {
        if let Cow::Owned(changed) = pattern.replace_all(&text, *shown) {
            text = Cow::Owned(changed);
        }
    }
    text
}

/// Redacts the free text of an event.
pub fn event(kind: &mut EventKind) {
    let text = match kind {
        EventKind::Notice { text, .. } => text,
        EventKind::Session { reason, .. } => reason,
        EventKind::Listen { detail, .. } => detail,
        _ => return,
    };
    if let Cow::Owned(changed) = redacted(text) {
        *text = changed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(SECRETS.len(), 3, "every pattern can be read");
        for (text, shown) in [
            ("DB_PASSWORD=hunter2 set", "DB_PASSWORD=*** set"),
            ("Authorization: Bearer abc.def", "Authorization: ***"),
            (
                r#"{"apiKey": "k1", "a": 1}"#,
                r#"{"apiKey": "***", "a": 1}"#,
            ),
            ("GET /x?token=abc&b=1", "GET /x?token=***&b=1"),
            ("postgres://me:pw@db:5432/x", "postgres://me:***@db:5432/x"),
            ("AWS_SECRET_ACCESS_KEY: zzz", "AWS_SECRET_ACCESS_KEY: ***"),
        ] {
            assert_eq!(redacted(text), shown);
        }
    }

    #[test]
    fn plain_words_stay() {
        for text in [
            "could not reach 10.0.0.1:80: refused",
            "the key is missing",
            "/etc/keys/list: no such file",
        ] {
            assert_eq!(redacted(text), text);
        }
    }
}
