//! Which names Kubernetes takes
//! (<https://kubernetes.io/docs/concepts/overview/working-with-objects/names/>, `labels/`).

/// Whether Kubernetes takes a name: letters, digits, `-` and `.`, all in small letters.
pub fn is_kubernetes_name(name: &str) -> bool {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= 253
        && name.starts_with(edge)
        && name.ends_with(edge)
        && name.chars().all(|c| edge(c) || "-.".contains(c))
}

/// What to say of a name that it does not take.
pub fn wrong_name(name: &str) -> String {
    format!("`{name}` is no name in Kubernetes: small letters, digits, `-` and `.` only")
}

/// `app=x,tier=y`: what is wrong with it.
pub fn wrong_selector(selector: &str) -> Option<String> {
    let edge = |c: char| c.is_ascii_alphanumeric();
    let inner = |c: char| edge(c) || "-_.".contains(c);
    let good = |part: &str| {
        part.len() <= 63
            && part.starts_with(edge)
            && part.ends_with(edge)
            && part.chars().all(inner)
    };
    for part in selector.split(',') {
        let Some((key, value)) = part.split_once('=') else {
            return Some(format!("`{part}` is not a label: write `name=value`"));
        };
        let (prefix, name) = key.split_once('/').unwrap_or(("", key));
        if !good(name) || !(prefix.is_empty() || is_kubernetes_name(prefix)) {
            return Some(format!("`{key}` is not the name of a label"));
        }
        if !value.is_empty() && !good(value) {
            return Some(format!("`{value}` is not the value of a label"));
        }
    }
    None
}
