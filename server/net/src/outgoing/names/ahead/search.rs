//! What a resolver asks next (resolv.conf(5): `search`, `ndots`).

use std::net::SocketAddr;

use mirrord_protocol::dns::{Question, labels, wire_name};

/// No list of sensible length is cut.
const MOST: usize = 12;

/// The pod's search list, and the name servers that it is used with.
#[derive(Debug)]
pub(crate) struct SearchList {
    servers: Vec<SocketAddr>,
    /// In the form of the wire.
    domains: Vec<Vec<u8>>,
    ndots: usize,
}

impl SearchList {
    /// A list with a domain that is none is not used at all.
    pub(crate) fn new(servers: Vec<SocketAddr>, search: &[String], ndots: usize) -> Self {
        let domains: Option<Vec<_>> = search.iter().map(|domain| wire_name(domain)).collect();
        SearchList {
            servers,
            domains: domains.unwrap_or_default(),
            ndots,
        }
    }

    /// Whether programs use the list with this name server.
    pub(crate) fn is_for(&self, server: SocketAddr) -> bool {
        self.servers.contains(&server)
    }

    /// The questions that follow this one when there is no such name. Only those whose name can be
    /// the first of a list are followed, for the others come out of one that is followed already.
    /// The list ends before a name that is not asked in the pod.
    pub(crate) fn after(&self, question: &[u8], stays_here: impl Fn(&str) -> bool) -> Vec<Vec<u8>> {
        let Some(question) = Question::read(question).filter(Question::is_for_addresses) else {
            return Vec::new();
        };
        let Some((first, others)) = self.domains.split_first() else {
            return Vec::new();
        };
        let Some(written) = written(question.name(), first) else {
            return Vec::new();
        };
        let dots = labels(written).count() - 1;
        // With more dots, or the root in the list, the name is asked for as it is elsewhere.
        let comes_last = dots < self.ndots && !others.iter().any(Vec::is_empty);
        let itself = comes_last.then_some(&[][..]);
        let domains = others.iter().map(Vec::as_slice).chain(itself);
        let names = domains.map(|domain| [written, domain].concat());
        // Hard to guess, as the program's own.
        let mut ids = [0; 2 * MOST];
        if let Err(error) = getrandom::fill(&mut ids) {
            tracing::debug!(%error, "no randomness, so nothing is asked ahead");
            return Vec::new();
        }
        names
            .take_while(|name| !stays_here(&text(name)))
            .zip(ids.as_chunks().0)
            .filter_map(|(name, id)| question.about(u16::from_be_bytes(*id), &name))
            .collect()
    }
}

/// What stands before a domain, if anything does.
fn written<'a>(name: &'a [u8], domain: &[u8]) -> Option<&'a [u8]> {
    let mut at = 0;
    for label in labels(name) {
        at += 1 + label.len();
        let rest = &name[at..];
        if !domain.is_empty() && rest.eq_ignore_ascii_case(domain) {
            return Some(&name[..at]);
        }
    }
    None
}

fn text(name: &[u8]) -> String {
    let labels: Vec<_> = labels(name).map(String::from_utf8_lossy).collect();
    labels.join(".").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(ndots: usize) -> SearchList {
        let search = ["shop.svc.local", "svc.local.", "Local"].map(str::to_owned);
        SearchList::new(vec!["10.0.0.1:53".parse().unwrap()], &search, ndots)
    }

    fn question(name: &str, kind: u8) -> Vec<u8> {
        let mut message = vec![1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        message.extend(wire_name(name).unwrap());
        message.extend([0, 0, kind, 0, 1]);
        message
    }

    fn after(list: &SearchList, name: &str, kind: u8) -> Vec<String> {
        let next = list.after(&question(name, kind), |_| false);
        let name = |message: &Vec<u8>| text_of(Question::read(message).unwrap().name());
        next.iter().map(name).collect()
    }

    fn text_of(name: &[u8]) -> String {
        let labels: Vec<_> = labels(name).map(String::from_utf8_lossy).collect();
        labels.join(".")
    }

    #[test]
    fn a_name_of_the_first_domain_is_followed_by_the_others_and_itself() {
        let expected = ["db.svc.local", "db.Local", "db"];
        assert_eq!(after(&list(5), "db.shop.svc.local", 1), expected);
        assert_eq!(after(&list(5), "db.shop.svc.local", 28), expected);
        let upper = ["dB.x.svc.local", "dB.x.Local", "dB.x"];
        assert_eq!(after(&list(5), "dB.x.SHOP.svc.LOCAL", 1), upper);
        let many_dots = ["db.svc.local", "db.Local"];
        assert_eq!(after(&list(0), "db.shop.svc.local", 1), many_dots);
    }

    #[test]
    fn everything_else_is_followed_by_nothing() {
        let none: [&str; 0] = [];
        for name in [
            "db",
            "db.svc.local",
            "db.local",
            "shop.svc.local",
            "xshop.svc.local",
        ] {
            assert_eq!(after(&list(5), name, 1), none, "{name}");
        }
        assert_eq!(after(&list(5), "db.shop.svc.local", 15), none, "MX");
        let empty = SearchList::new(Vec::new(), &[], 5);
        assert_eq!(after(&empty, "db.shop.svc.local", 1), none);
        let root = SearchList::new(Vec::new(), &[".".to_owned(), "local".to_owned()], 5);
        assert_eq!(after(&root, "db.shop", 1), none);
    }

    #[test]
    fn the_root_in_the_list_stands_for_the_name_itself() {
        let search = ["shop.svc.local", ".", "local"].map(str::to_owned);
        let list = SearchList::new(Vec::new(), &search, 5);
        assert_eq!(after(&list, "db.shop.svc.local", 1), ["db", "db.local"]);
    }

    #[test]
    fn no_name_that_stays_here_is_asked_nor_what_follows_it() {
        let asked = question("db.shop.svc.local", 1);
        let next = list(5).after(&asked, |name| name == "db.local");
        assert_eq!(next.len(), 1);
        let next = list(5).after(&asked, |name| name == "db.svc.local");
        assert!(next.is_empty());
    }

    #[test]
    fn names_that_would_be_too_long_are_left_out() {
        let long = ["abcdefgh"; 25].join(".");
        let search = ["a", &long, "b"].map(str::to_owned);
        let list = SearchList::new(Vec::new(), &search, 50);
        let name = [&["xyzxyz"; 10].join("."), "a"].join(".");
        assert_eq!(after(&list, &name, 1).len(), 2);
    }
}
