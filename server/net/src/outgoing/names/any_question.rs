//! What a program sends to a name server, for the fuzzer (`fuzz/`): any bytes are a question that
//! is answered as it was put, or none.

use std::sync::OnceLock;

use mirrord_protocol::dns;
use mirrord_rules::{AlignedBlock, DnsSource, RuleSource, Side, compile};
use simple_dns::Packet;
use tokio::sync::mpsc;

use super::here::Over;
use super::{NameRules, SearchList};

/// Tries them.
pub fn any_question(message: &[u8]) {
    let search = ["shop.svc.local".to_owned(), "local".to_owned()];
    let list = SearchList::new(Vec::new(), &search, 5);
    for next in list.after(message, |name| name == "stays.local") {
        let asked = dns::Question::read(message).expect("it is followed by others");
        let next = dns::Question::read(&next).expect("a question again");
        assert!(next.is_for_addresses());
        assert!(next.name().len() < asked.name().len() + search[1].len());
    }

    let (event_tx, mut event_rx) = mpsc::unbounded_channel();
    let rules = rules(&search, event_tx);
    let Some(question) = rules.is_for_here(message) else {
        return;
    };
    assert!(event_rx.try_recv().is_ok(), "the decision is told");
    let addresses = [[10, 0, 0, 1].into(), [0; 16].into()];
    let many = addresses.iter().cycle().take(100).copied().collect();
    for (found, over) in [
        (Ok(addresses.to_vec()), Over::Tcp),
        (Ok(many), Over::Udp),
        (Err(simple_dns::RCODE::NameError), Over::Udp),
    ] {
        // A name of the question that cannot be written again is answered with nothing.
        let Ok(reply) = question.reply(found, over) else {
            continue;
        };
        assert_eq!(reply[..2], message[..2], "the question's id");
        let read = Packet::parse(&reply).expect("what was written can be read");
        assert_eq!(read.questions.len(), 1);
        // The longest question and what an answer without records adds to it.
        assert!(over == Over::Tcp || reply.len() <= 1232.max(message.len() + 11));
    }
}

/// All names but those of a list are this machine's.
fn rules(
    search: &[String],
    event_tx: mpsc::UnboundedSender<mirrord_protocol::event::EventKind>,
) -> NameRules {
    // Compiling takes longer than everything else that is tried.
    static COMPILED: OnceLock<Vec<u8>> = OnceLock::new();
    let compiled = COMPILED.get_or_init(|| {
        let source = RuleSource {
            dns: DnsSource {
                enabled: true,
                filter: Some((Side::Remote, vec!["db".to_owned(), "10.0.0.0/8".to_owned()])),
            },
            ..RuleSource::default()
        };
        compile(&source).expect("rules")
    });
    let block = AlignedBlock::new(compiled);
    let rules = NameRules::new(&block, search, event_tx).expect("a whole block");
    rules.expect("a filter of names")
}
