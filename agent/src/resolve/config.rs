//! The target's `/etc/resolv.conf` (resolv.conf(5)) and `/etc/hosts` (hosts(5)).

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::DEFAULT_TIMEOUT;

/// glibc's limit on name servers (`MAXNS`).
const MAX_SERVERS: usize = 3;

/// What of `resolv.conf` matters here.
#[derive(Debug)]
pub(super) struct Config {
    pub(super) servers: Vec<SocketAddr>,
    pub(super) timeout: Duration,
    pub(super) attempts: u32,
    pub(super) search: Vec<String>,
    pub(super) ndots: usize,
}

impl Config {
    pub(super) fn parse(text: &str) -> Self {
        let mut config = Config {
            servers: Vec::new(),
            timeout: DEFAULT_TIMEOUT,
            attempts: 2,
            search: Vec::new(),
            ndots: 1,
        };
        for line in text.lines().filter(|line| !line.starts_with(['#', ';'])) {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => {
                    let server = words.next().and_then(|word| word.parse::<IpAddr>().ok());
                    config
                        .servers
                        .extend(server.map(|ip| SocketAddr::new(ip, 53)));
                }
                // The last of these lines wins.
                Some("search" | "domain") => config.search = words.map(str::to_owned).collect(),
                Some("options") => words.for_each(|word| config.option(word)),
                _ => {}
            }
        }
        config.servers.truncate(MAX_SERVERS);
        if config.servers.is_empty() {
            // resolv.conf(5): without an entry the server on the local machine is used.
            config.servers.push(SocketAddr::from(([127, 0, 0, 1], 53)));
        }
        config
    }

    fn option(&mut self, word: &str) {
        let Some((name, value)) = word.split_once(':') else {
            return;
        };
        let Ok(value) = value.parse::<u32>() else {
            return;
        };
        match name {
            "ndots" => self.ndots = value.min(15) as usize,
            "timeout" => self.timeout = Duration::from_secs(value.clamp(1, 30).into()),
            "attempts" => self.attempts = value.clamp(1, 5),
            _ => {}
        }
    }

    /// The names to ask for, in order.
    pub(super) fn candidates(&self, host: &str) -> Vec<String> {
        if let Some(absolute) = host.strip_suffix('.') {
            return vec![absolute.to_owned()];
        }
        let mut names: Vec<String> = self
            .search
            .iter()
            .map(|domain| format!("{host}.{}", domain.trim_end_matches('.')))
            .collect();
        let dots = host.bytes().filter(|&byte| byte == b'.').count();
        let place = if dots >= self.ndots { 0 } else { names.len() };
        names.insert(place, host.to_owned());
        names
    }
}

/// The addresses that a hosts file gives a name.
pub(super) fn in_hosts(text: &str, host: &str) -> Vec<IpAddr> {
    let host = host.trim_end_matches('.');
    text.lines()
        .filter_map(|line| {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let address = words.next()?.parse().ok()?;
            words
                .any(|name| name.eq_ignore_ascii_case(host))
                .then_some(address)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_dots_go_through_the_search_list_first() {
        let config = Config::parse(
            "# comment\nnameserver 10.0.0.10\nsearch a.svc b.svc.\noptions ndots:2 timeout:1\n",
        );
        assert_eq!(config.servers, ["10.0.0.10:53".parse().unwrap()]);
        assert_eq!(config.timeout, Duration::from_secs(1));
        assert_eq!(config.candidates("db"), ["db.a.svc", "db.b.svc", "db"]);
        assert_eq!(
            config.candidates("x.y.z"),
            ["x.y.z", "x.y.z.a.svc", "x.y.z.b.svc"]
        );
        assert_eq!(config.candidates("db."), ["db"]);
    }

    #[test]
    fn hosts_match_whole_names_in_any_case() {
        let text = "10.0.0.1 db db.shop # db2\n::1 DB\nbad db\n";
        let expected: [IpAddr; 2] = ["10.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
        assert_eq!(in_hosts(text, "db"), expected);
        assert!(in_hosts(text, "db2").is_empty());
    }
}
