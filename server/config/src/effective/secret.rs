//! Which values may be secret. Better one too many than one too few: what is hidden here can still
//! be read in the file itself.

use serde_json::{Value as Json, json};

/// What stands in the place of a secret.
pub const REDACTED: &str = "***";

/// Parts of names whose values are nobody else's business.
const SECRET_NAMES: &[&str] = &[
    "token",
    "secret",
    "passw",
    "passphrase",
    "pwd",
    "credential",
    "private",
    "apikey",
    "api_key",
    "api-key",
    "access_key",
    "accesskey",
    "auth",
    "cookie",
    "dsn",
    "cert",
    "signature",
    "payload",
    "connection_string",
    "database_url",
    "session_id",
    "salt",
];

/// Beginnings of well-known secrets, whatever they are called.
const SECRET_BEGINNINGS: &[&str] = &[
    "-----BEGIN",
    "eyJ",
    "ghp_",
    "gho_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "AKIA",
    "sk-",
    "sk_live_",
    "Bearer ",
    "Basic ",
];

/// A value without what may be secret in it. The path is the key's.
pub(super) fn redacted(path: &str, value: &Json) -> Json {
    match value {
        Json::String(text) if is_secret(path, text) => json!(REDACTED),
        Json::Array(list) => list.iter().map(|value| redacted(path, value)).collect(),
        Json::Object(map) => Json::Object(
            map.iter()
                .map(|(name, value)| (name.clone(), redacted(&format!("{path}.{name}"), value)))
                .collect(),
        ),
        other => other.clone(),
    }
}

fn is_secret(path: &str, text: &str) -> bool {
    let last = path
        .strip_prefix("feature.env.override.")
        .or_else(|| path.strip_prefix("feature.env.mapping."));
    let name = match last {
        // A variable's name may have dots.
        Some(name) => name,
        None => path.rsplit('.').next().unwrap_or(path),
    };
    let name = name.to_lowercase();
    // Keys of the configuration itself whose names only sound like it.
    let known = crate::schema::find(&path.split('.').collect::<Vec<_>>()).is_some();
    let named = !known && SECRET_NAMES.iter().any(|secret| name.contains(secret));
    named || begins_secret(text) || has_password(text) || is_header_with_secret(path, text)
}

fn begins_secret(text: &str) -> bool {
    SECRET_BEGINNINGS
        .iter()
        .any(|beginning| text.len() > beginning.len() + 3 && text.starts_with(beginning))
}

/// `postgres://user:password@host`
fn has_password(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    matches!(authority.rsplit_once('@'), Some((user, _)) if user.contains(':'))
}

/// A filter on a header whose value is a secret.
fn is_header_with_secret(path: &str, text: &str) -> bool {
    if !path.contains("http_filter") {
        return false;
    }
    let text = text.to_lowercase();
    ["authorization", "cookie", "api-key", "token", "secret"]
        .iter()
        .any(|name| text.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_secret_is_hidden_and_the_rest_is_shown() {
        for (path, text, hidden) in [
            ("feature.env.override.DB_PASSWORD", "x", true),
            ("feature.env.override.a.token", "x", true),
            ("feature.env.override.LOG_LEVEL", "debug", false),
            ("feature.env.override.DB", "postgres://me:x@db/app", true),
            ("feature.env.override.DB", "postgres://db/app", false),
            ("feature.env.override.JWT", "eyJhbGciOi", true),
            (
                "feature.network.incoming.http_filter.header_filter",
                "^Authorization: x",
                true,
            ),
            (
                "feature.network.incoming.http_filter.header_filter",
                "^x-user: me",
                false,
            ),
            ("feature.preview.secret_mounts.payload", "x", true),
            ("target.path", "pod/auth", false),
            ("accept_invalid_certificates", "x", false),
        ] {
            assert_eq!(
                redacted(path, &json!(text)) == json!(REDACTED),
                hidden,
                "{path} {text}"
            );
        }
        let map = json!({ "API_TOKEN": "x", "PORT": "80" });
        let shown = redacted("feature.env.override", &map);
        assert_eq!(shown, json!({ "API_TOKEN": REDACTED, "PORT": "80" }));
    }
}
