//! The list of preloaded libraries: ours first, what the user had stays behind it.

/// Name of our library, whatever version's folder it lies in.
fn is_ours(entry: &str, layer: &str) -> bool {
    let name = |path: &str| path.rsplit('/').next().map(str::to_owned);
    entry == layer || name(entry) == name(layer)
}

/// `user` with `layer` in front, once. The loader takes colons and blanks (ld.so(8)).
pub(crate) fn merged(layer: &str, user: Option<&str>) -> String {
    let mut list = vec![layer];
    let user = user.unwrap_or_default().split([':', ' ']);
    list.extend(user.filter(|entry| !entry.is_empty() && !is_ours(entry, layer)));
    list.join(":")
}

#[cfg(test)]
mod tests {
    use super::merged;

    #[test]
    fn what_the_user_preloads_stays_behind_ours() {
        let layer = "/opt/m/liblayer.so";
        assert_eq!(merged(layer, None), layer);
        assert_eq!(merged(layer, Some("")), layer);
        let twice = merged(layer, Some("a.so b.so"));
        assert_eq!(twice, "/opt/m/liblayer.so:a.so:b.so");
        assert_eq!(merged(layer, Some(&twice)), twice);
        let other_version = "/old/liblayer.so:a.so";
        assert_eq!(
            merged(layer, Some(other_version)),
            "/opt/m/liblayer.so:a.so"
        );
    }
}
