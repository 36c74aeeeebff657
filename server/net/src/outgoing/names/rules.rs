//! Which names are this machine's (`network.dns.filter`).
//!
//! A filter has names as programs write them; what comes to a name server is completed with the
//! pod's search list already. So a question is read in each way that the list allows.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use mirrord_protocol::event::{EventKind, Place};
use mirrord_rules::{AlignedBlock, BlockError, DnsDecision, Rules, Side};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::here::Question;

/// This machine's resolver is asked on a thread for each question; more must wait or be dropped.
const AT_ONCE: usize = 64;

/// Decides about names.
pub struct NameRules {
    block: AlignedBlock,
    search: Vec<String>,
    event_tx: mpsc::UnboundedSender<EventKind>,
    turns: Arc<Semaphore>,
}

impl NameRules {
    /// `search` is the pod's list. `None` when all names are resolved on one side.
    pub fn new(
        block: &AlignedBlock,
        search: &[String],
        event_tx: mpsc::UnboundedSender<EventKind>,
    ) -> Result<Option<NameRules>, BlockError> {
        if !block.rules()?.has_dns_filter() {
            return Ok(None);
        }
        let domain = |domain: &String| domain.trim_matches('.').to_ascii_lowercase();
        Ok(Some(NameRules {
            block: AlignedBlock::new(block.as_bytes()),
            search: search.iter().map(domain).collect(),
            event_tx,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }))
    }

    /// The question in a message, when this machine's resolver is to answer it.
    pub(super) fn is_for_here(&self, message: &[u8]) -> Option<Question> {
        let mut question = Question::read(message)?;
        let rules = match self.block.rules() {
            Ok(rules) => rules,
            Err(error) => {
                tracing::error!(%error, "the rules are damaged; names are the pod's");
                return None;
            }
        };
        let asked = question.name.clone();
        let (written, decision) = self.decide(rules, &asked);
        match written {
            Some(written) => question.name = written.to_owned(),
            None if !decision.matched && self.is_completed(&asked) => {
                // This machine's own search list has no business with it.
                question.name.push('.');
            }
            None => {}
        }
        self.tell(asked.clone(), &decision);
        (decision.place == Side::Local).then_some(question)
    }

    /// Whether this machine's resolver would answer for a name, in small letters. Nothing is told.
    pub(super) fn keeps_here(&self, name: &str) -> bool {
        // Damaged rules are told when the program asks.
        let rules = self.block.rules();
        rules.is_ok_and(|rules| self.decide(rules, name).1.place == Side::Local)
    }

    /// The decision about a name that is asked for, and how it was written if that decided.
    fn decide<'a, 'n>(
        &'a self,
        rules: Rules<'a>,
        asked: &'n str,
    ) -> (Option<&'n str>, DnsDecision<'a>) {
        let whole = match address_of(asked) {
            Some(address) => rules.dns(&address.to_string(), 0),
            None => rules.dns(asked, 0),
        };
        let mut readings = self.search.iter().filter_map(|domain| {
            let written = asked.strip_suffix(domain.as_str())?.strip_suffix('.')?;
            let decision = rules.dns(written, 0);
            decision.matched.then_some((Some(written), decision))
        });
        match readings.next() {
            Some(reading) if !whole.matched => reading,
            _ => (None, whole),
        }
    }

    /// Leave to ask this machine's resolver, if few others do.
    pub(super) fn turn(&self) -> Option<OwnedSemaphorePermit> {
        self.turns.clone().try_acquire_owned().ok()
    }

    fn is_completed(&self, name: &str) -> bool {
        let below = |domain: &String| name.strip_suffix(domain).is_some_and(|n| n.ends_with('.'));
        self.search.iter().any(below)
    }

    fn tell(&self, name: String, decision: &DnsDecision<'_>) {
        let place = match decision.place {
            Side::Local => Place::Local,
            Side::Remote => Place::Remote,
        };
        let rule = decision.rule.as_str().to_owned();
        // Without a receiver the session is ending.
        let _ = self.event_tx.send(EventKind::Name { name, place, rule });
    }
}

/// The address whose name is asked for (RFC 1035, 3.5; RFC 3596, 2.5).
fn address_of(name: &str) -> Option<IpAddr> {
    if let Some(reversed) = name.strip_suffix(".in-addr.arpa") {
        let parts: Vec<&str> = reversed.rsplit('.').collect();
        return parts.join(".").parse::<Ipv4Addr>().ok().map(IpAddr::from);
    }
    let reversed = name.strip_suffix(".ip6.arpa")?;
    let mut bits = 0;
    let mut digits = 0;
    for digit in reversed.rsplit('.') {
        if digit.len() != 1 || digits == 32 {
            return None;
        }
        bits = bits << 4 | u128::from_str_radix(digit, 16).ok()?;
        digits += 1;
    }
    (digits == 32).then(|| Ipv6Addr::from_bits(bits).into())
}

#[cfg(test)]
mod tests {
    use mirrord_rules::{DnsSource, RuleSource, compile};
    use simple_dns::{CLASS, Name, Packet, QCLASS, Question, TYPE};

    use super::*;

    fn rules(side: Side, filter: &[&str]) -> (NameRules, mpsc::UnboundedReceiver<EventKind>) {
        let filter = filter.iter().map(|entry| (*entry).to_owned()).collect();
        let source = RuleSource {
            dns: DnsSource {
                enabled: true,
                filter: Some((side, filter)),
            },
            ..RuleSource::default()
        };
        let block = AlignedBlock::new(&compile(&source).unwrap());
        let search = [
            "shop.svc.cluster.local".to_owned(),
            "Cluster.local.".to_owned(),
        ];
        let (event_tx, event_rx) = mpsc::unbounded_channel();
        let rules = NameRules::new(&block, &search, event_tx).unwrap().unwrap();
        (rules, event_rx)
    }

    /// What this machine is asked for instead, if it is.
    fn here(rules: &NameRules, name: &str) -> Option<String> {
        let mut packet = Packet::new_query(1);
        let class = QCLASS::CLASS(CLASS::IN);
        let question = Question::new(Name::new_unchecked(name), TYPE::A.into(), class, false);
        packet.questions.push(question);
        let question = rules.is_for_here(&packet.build_bytes_vec().unwrap())?;
        Some(question.name)
    }

    #[test]
    fn names_are_known_as_they_were_written() {
        let (local, _event_rx) = rules(Side::Local, &["db", "example.com:443", "10.0.0.0/8"]);
        let db = Some("db".to_owned());
        assert_eq!(here(&local, "db"), db);
        assert_eq!(here(&local, "DB.shop.svc.cluster.local"), db);
        assert_eq!(here(&local, "db.cluster.local"), db);
        assert_eq!(here(&local, "db.other.svc.cluster.local"), None);
        assert_eq!(here(&local, "xdb"), None);
        let example = Some("example.com".to_owned());
        assert_eq!(here(&local, "example.com.shop.svc.cluster.local"), example);
        assert_eq!(here(&local, "www.example.com"), None);
        assert!(here(&local, "4.3.2.10.in-addr.arpa").is_some());
        assert!(here(&local, "4.3.2.11.in-addr.arpa").is_none());
    }

    #[test]
    fn what_is_not_listed_for_the_pod_is_asked_here_as_it_is() {
        let (remote, mut event_rx) = rules(Side::Remote, &["orders"]);
        assert_eq!(here(&remote, "orders.shop.svc.cluster.local"), None);
        assert_eq!(
            event_rx.try_recv().unwrap(),
            EventKind::Name {
                name: "orders.shop.svc.cluster.local".into(),
                place: Place::Remote,
                rule: "network.dns.filter.remote orders".into(),
            }
        );
        let completed = Some("web.shop.svc.cluster.local.".to_owned());
        assert_eq!(here(&remote, "web.shop.svc.cluster.local"), completed);
        assert_eq!(here(&remote, "web"), Some("web".to_owned()));
    }

    #[test]
    fn addresses_are_read_from_the_names_of_their_names() {
        let parsed = |name| address_of(name).map(|address| address.to_string());
        assert_eq!(parsed("4.3.2.1.in-addr.arpa").unwrap(), "1.2.3.4");
        assert_eq!(parsed("3.2.1.in-addr.arpa"), None);
        let zeros = "0.".repeat(28);
        let six = format!("1.{zeros}0.0.d.f.ip6.arpa");
        assert_eq!(parsed(&six), None, "33 digits");
        let six = format!("1.{zeros}0.d.f.ip6.arpa");
        assert_eq!(parsed(&six).unwrap(), "fd00::1");
        assert_eq!(parsed("x.ip6.arpa"), None);
    }
}
