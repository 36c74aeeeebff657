//! The proxy on the way to an API server: the cluster's own (`proxy-url`), or the environment's, as
//! kubectl takes it.

use std::net::IpAddr;

use http::Uri;

use crate::{Environment, Error};

/// The proxy for `server`; `named`: what the kubeconfig says for this cluster.
pub(crate) fn proxy(
    server: &Uri,
    named: Option<&str>,
    environment: &Environment,
) -> Result<Option<Uri>, Error> {
    let get = |names: [&str; 2]| names.into_iter().find_map(|name| environment.get(name));
    let of_environment = match server.scheme_str() {
        Some("http") => get(["HTTP_PROXY", "http_proxy"]),
        _ => get(["HTTPS_PROXY", "https_proxy"]),
    };
    let excepted = || {
        let list = get(["NO_PROXY", "no_proxy"]).unwrap_or_default();
        let host = server.host().unwrap_or_default();
        list.split(',').any(|entry| matches(entry.trim(), host))
    };
    let proxy = match named.filter(|named| !named.is_empty()) {
        Some(named) => Some(named),
        None => of_environment.filter(|_| !excepted()),
    };
    let parsed = proxy.map(|proxy| {
        // A proxy's password is nobody's business.
        proxy.parse().map_err(|error| {
            Error::Access(format!(
                "the proxy on the way to the cluster has no valid address: {error}"
            ))
        })
    });
    parsed.transpose()
}

/// Whether an entry of `NO_PROXY` is about this host: `*`, a name and all below it, an address, a
/// network.
fn matches(entry: &str, host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    if entry == "*" {
        return true;
    }
    let entry = entry.split_once(':').map_or(entry, |(name, port)| {
        match port.chars().all(|c| c.is_ascii_digit()) {
            true => name,
            false => entry,
        }
    });
    if let (Some((network, bits)), Ok(address)) = (entry.split_once('/'), host.parse::<IpAddr>()) {
        return match (network.parse(), bits.parse()) {
            (Ok(network), Ok(bits)) => within(address, network, bits),
            _ => false,
        };
    }
    let name = entry.trim_start_matches("*").trim_start_matches('.');
    !name.is_empty()
        && (host.eq_ignore_ascii_case(name)
            || host
                .to_ascii_lowercase()
                .ends_with(&format!(".{}", name.to_ascii_lowercase())))
}

fn within(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            u32::from(address) & mask == u32::from(network) & mask
        }
        (IpAddr::V6(address), IpAddr::V6(network)) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            u128::from(address) & mask == u128::from(network) & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(server: &str, named: Option<&str>, pairs: &[(&str, &str)]) -> Option<String> {
        let pairs = pairs.iter();
        let environment = Environment::of(
            pairs
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
        );
        let found = proxy(&server.parse().unwrap(), named, &environment).unwrap();
        found.map(|found| found.to_string())
    }

    #[test]
    fn the_clusters_own_proxy_wins_and_no_proxy_is_about_the_server() {
        let env = [
            ("HTTPS_PROXY", "http://proxy:3128"),
            ("NO_PROXY", "10.0.0.0/8,.corp"),
        ];
        let own = Some("socks5://own:1080");
        let https = "https://api.example:6443";
        assert_eq!(
            chosen(https, own, &env).as_deref(),
            Some("socks5://own:1080/")
        );
        assert_eq!(
            chosen(https, None, &env).as_deref(),
            Some("http://proxy:3128/")
        );
        assert_eq!(chosen("https://10.1.2.3:6443", None, &env), None);
        assert_eq!(chosen("https://api.corp", None, &env), None);
        assert_eq!(chosen("http://api.example", None, &env), None);
        assert_eq!(chosen(https, None, &[]), None);
    }

    #[test]
    fn entries_of_no_proxy_mean_what_curl_takes_them_for() {
        for (entry, host, expected) in [
            ("*", "x", true),
            ("corp", "api.corp", true),
            ("*.corp", "api.corp", true),
            ("corp", "notcorp", false),
            ("api:6443", "API", true),
            ("10.0.0.0/8", "10.9.9.9", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("fd00::/8", "[fd12::1]", true),
            ("10.0.0.0/99", "10.0.0.1", false),
            ("", "x", false),
        ] {
            assert_eq!(matches(entry, host), expected, "{entry} {host}");
        }
    }
}
