//! What the program will ask its name server next, asked here the moment that it is sure.
//!
//! A resolver goes through its search list one name after the other. The session sends the rest
//! of the list with the first question ([`Datagram::Ask`](mirrord_protocol::streams::Datagram)),
//! so that the whole look-up needs the link once; the name server is asked exactly what the
//! program would ask it, and no question more.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use mirrord_protocol::dns::{Question, Verdict};

/// Look-ups of one socket that go on at once; the oldest is given up.
const MOST: usize = 16;
/// A resolver has given a question up by then, and would go on from there otherwise.
const WITHIN: Duration = Duration::from_secs(5);

/// The look-ups of a socket.
#[derive(Default)]
pub(super) struct LookAhead {
    going: VecDeque<LookUp>,
}

struct LookUp {
    asked: Vec<u8>,
    next: VecDeque<Vec<u8>>,
    since: Instant,
}

impl LookAhead {
    /// `question` is being asked; `next` are the following ones, in their order.
    pub(super) fn begin(&mut self, question: &[u8], next: Vec<Vec<u8>>, now: Instant) {
        // Asked again, for instance because nothing came.
        self.going.retain(|look_up| look_up.asked != question);
        if next.is_empty() {
            return;
        }
        if self.going.len() == MOST {
            self.going.pop_front();
        }
        self.going.push_back(LookUp {
            asked: question.to_vec(),
            next: next.into(),
            since: now,
        });
    }

    /// What to ask now that this came from the name server.
    pub(super) fn after(&mut self, answer: &[u8], now: Instant) -> Option<Vec<u8>> {
        let verdict = |look_up: &LookUp| Question::read(&look_up.asked)?.verdict(answer);
        let (at, verdict) = (self.going.iter().enumerate())
            .find_map(|(at, look_up)| Some((at, verdict(look_up)?)))?;
        let mut look_up = self.going.remove(at)?;
        if verdict == Verdict::Other || now - look_up.since > WITHIN {
            return None;
        }
        let question = look_up.next.pop_front()?;
        if !look_up.next.is_empty() {
            look_up.asked = question.clone();
            look_up.since = now;
            self.going.push_back(look_up);
        }
        Some(question)
    }
}

#[cfg(test)]
mod tests {
    use mirrord_protocol::dns::wire_name;

    use super::*;

    fn question(id: u8, name: &str) -> Vec<u8> {
        let mut message = vec![0, id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        message.extend(wire_name(name).unwrap());
        message.extend([0, 0, 1, 0, 1]);
        message
    }

    fn answer(question: &[u8], code: u8) -> Vec<u8> {
        let mut answer = question.to_vec();
        (answer[2], answer[3]) = (0x81, 0x80 | code);
        answer
    }

    const NO_SUCH_NAME: u8 = 3;

    #[test]
    fn the_list_is_gone_through_while_there_is_no_such_name() {
        let now = Instant::now();
        let [first, second, third] = [question(1, "a.x"), question(2, "a.y"), question(3, "a")];
        let mut ahead = LookAhead::default();
        ahead.begin(&first, vec![second.clone(), third.clone()], now);
        assert_eq!(
            ahead.after(&answer(&second, NO_SUCH_NAME), now),
            None,
            "not asked yet"
        );
        let next = ahead.after(&answer(&first, NO_SUCH_NAME), now);
        assert_eq!(next.as_ref(), Some(&second));
        assert_eq!(
            ahead.after(&answer(&first, NO_SUCH_NAME), now),
            None,
            "once"
        );
        let next = ahead.after(&answer(&second, NO_SUCH_NAME), now);
        assert_eq!(next.as_ref(), Some(&third));
        assert_eq!(
            ahead.after(&answer(&third, NO_SUCH_NAME), now),
            None,
            "the end"
        );
    }

    #[test]
    fn any_other_answer_ends_it() {
        let now = Instant::now();
        let [first, second] = [question(1, "a.x"), question(2, "a")];
        for code in [0, 2, 5] {
            let mut ahead = LookAhead::default();
            ahead.begin(&first, vec![second.clone()], now);
            assert_eq!(ahead.after(&answer(&first, code), now), None, "{code}");
            assert_eq!(ahead.after(&answer(&first, NO_SUCH_NAME), now), None);
        }
    }

    #[test]
    fn a_late_answer_leads_nowhere_and_the_number_is_bounded() {
        let now = Instant::now();
        let [first, second] = [question(1, "a.x"), question(2, "a")];
        let mut ahead = LookAhead::default();
        ahead.begin(&first, vec![second.clone()], now);
        let late = now + WITHIN + Duration::from_millis(1);
        assert_eq!(ahead.after(&answer(&first, NO_SUCH_NAME), late), None);
        ahead.begin(&first, vec![second.clone()], now);
        for id in 10..10 + MOST as u8 {
            ahead.begin(&question(id, "b.x"), vec![second.clone()], now);
        }
        assert_eq!(ahead.going.len(), MOST);
        assert_eq!(
            ahead.after(&answer(&first, NO_SUCH_NAME), now),
            None,
            "given up"
        );
    }
}
