use mirrord_protocol::dns::wire_name;

use super::*;

const NO_SUCH_NAME: u8 = 3;
const FOUND: u8 = 0;

fn client(number: u16) -> Client {
    Client {
        address: ([127, 0, 0, 1], number).into(),
        cookie: number.into(),
    }
}

fn question(id: u8, name: &str) -> Vec<u8> {
    let mut message = vec![0, id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    message.extend(wire_name(name).unwrap());
    message.extend([0, 0, 1, 0, 1]);
    message
}

fn answer(question: &[u8], code: u8) -> Vec<u8> {
    let mut answer = question.to_vec();
    (answer[2], answer[3]) = (0x81, 0x80 | code);
    answer.extend(b"records");
    answer
}

/// A look-up of `a` in the domains `x` and `y`, whose first answer came.
fn begun(now: Instant) -> Ahead {
    let mut ahead = Ahead::default();
    let first = question(1, "a.x");
    ahead.plan(&first, &[question(101, "a.y"), question(102, "a")], now);
    assert_eq!(
        ahead.heard(&answer(&first, NO_SUCH_NAME), now),
        Heard::Programs
    );
    ahead
}

#[test]
fn an_answer_is_kept_for_its_question_once() {
    let now = Instant::now();
    let mut ahead = begun(now);
    let kept = ahead.heard(&answer(&question(101, "a.y"), FOUND), now);
    assert_eq!(kept, Heard::Ahead(None));
    for other in [
        question(7, "a.z"),
        question(7, "a"),
        b"no question".to_vec(),
    ] {
        assert_eq!(ahead.take(client(1), &other, now), Taken::Unknown);
    }
    // Another id and another case: the answer is made to fit.
    let asked = question(7, "A.y");
    let expected = Taken::Answer(answer(&asked, FOUND));
    assert_eq!(ahead.take(client(1), &asked, now), expected);
    assert_eq!(ahead.take(client(1), &asked, now), Taken::Unknown, "once");
}

#[test]
fn an_answer_is_not_kept_for_long() {
    let now = Instant::now();
    let mut ahead = begun(now);
    ahead.heard(&answer(&question(101, "a.y"), FOUND), now);
    let late = now + KEPT + Duration::from_millis(1);
    let asked = question(7, "a.y");
    assert_eq!(ahead.take(client(1), &asked, late), Taken::Unknown);
}

#[test]
fn a_question_waits_for_the_answer_that_is_on_its_way() {
    let now = Instant::now();
    let mut ahead = begun(now);
    let asked = question(7, "a.y");
    assert_eq!(ahead.take(client(1), &asked, now), Taken::Waits);
    assert_eq!(
        ahead.take(client(1), &asked, now),
        Taken::Waits,
        "sent again"
    );
    assert_eq!(
        ahead.take(client(2), &asked, now),
        Taken::Unknown,
        "not for two"
    );
    let served = Some((client(1), answer(&asked, FOUND)));
    let heard = ahead.heard(&answer(&question(101, "a.y"), FOUND), now);
    assert_eq!(heard, Heard::Ahead(served));
    assert_eq!(ahead.deadline(), None);
}

#[test]
fn a_question_that_waited_in_vain_is_asked() {
    let now = Instant::now();
    let mut ahead = begun(now);
    let asked = question(7, "a.y");
    assert_eq!(ahead.deadline(), None);
    assert_eq!(ahead.take(client(1), &asked, now), Taken::Waits);
    assert_eq!(ahead.deadline(), Some(now + PATIENCE));
    assert_eq!(ahead.overdue(now), []);
    let waiting = Waiting {
        client: client(1),
        question: asked.clone(),
    };
    assert_eq!(ahead.overdue(now + PATIENCE), [waiting]);
    assert_eq!(ahead.overdue(now + PATIENCE), []);
    assert_eq!(
        ahead.take(client(1), &asked, now + PATIENCE),
        Taken::Unknown
    );
}

#[test]
fn the_next_name_is_on_its_way_only_after_there_was_no_such_name() {
    let now = Instant::now();
    let (second, last) = (question(7, "a.y"), question(7, "a"));
    let mut ahead = Ahead::default();
    let first = question(1, "a.x");
    let next = [question(101, "a.y"), question(102, "a")];
    ahead.plan(&first, &next, now);
    assert_eq!(ahead.take(client(1), &second, now), Taken::Unknown);
    ahead.heard(&answer(&first, FOUND), now);
    assert_eq!(ahead.take(client(1), &second, now), Taken::Unknown);

    let mut ahead = begun(now);
    assert_eq!(ahead.take(client(1), &last, now), Taken::Unknown);
    ahead.heard(&answer(&next[0], NO_SUCH_NAME), now);
    assert_eq!(ahead.take(client(1), &last, now), Taken::Waits);

    let mut ahead = begun(now);
    ahead.heard(&answer(&next[0], FOUND), now);
    assert_eq!(ahead.take(client(1), &last, now), Taken::Unknown);
}

#[test]
fn what_was_not_asked_ahead_is_the_programs() {
    let now = Instant::now();
    let mut ahead = begun(now);
    let own = answer(&question(7, "a.y"), FOUND);
    assert_eq!(ahead.heard(&own, now), Heard::Programs, "another id");
    assert_eq!(ahead.heard(b"no answer", now), Heard::Programs);
    // Twice the same is nobody's.
    let theirs = answer(&question(101, "a.y"), FOUND);
    assert_eq!(ahead.heard(&theirs, now), Heard::Ahead(None));
    assert_eq!(ahead.heard(&theirs, now), Heard::Ahead(None));
}

#[test]
fn old_look_ups_are_forgotten() {
    let now = Instant::now();
    let mut ahead = Ahead::default();
    for round in 0..300_u16 {
        let [high, low] = round.to_be_bytes();
        let mut first = question(low, "a.x");
        first[0] = high;
        ahead.plan(&first, &[question(low, "a")], now);
    }
    assert_eq!(ahead.look_ups.len(), MOST);
    let later = now + FORGOTTEN;
    ahead.plan(&question(1, "b.x"), &[question(2, "b")], later);
    assert_eq!(ahead.look_ups.len(), 1);
}
