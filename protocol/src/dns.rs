//! The little of DNS messages (RFC 1035) that both ends of the link look at: which question it is,
//! and whether an answer belongs to it. Names are compared in the form of the wire.

/// Bytes before the question (RFC 1035, 4.1.1).
const HEADER: usize = 12;
/// No name is longer in the form of the wire (RFC 1035, 2.3.4).
const LONGEST_NAME: usize = 255;
/// The form of the wire of a record's root name and type OPT (RFC 6891, 6.1.2).
const OPT: [u8; 3] = [0, 0, 41];

/// A message with one question and nothing else but EDNS options.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    message: &'a [u8],
    /// Where type and class are.
    name_end: usize,
}

/// What the answer to a question says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// There is no such name (NXDOMAIN): resolvers go on to the next name of their search list.
    NoSuchName,
    /// Anything else.
    Other,
}

impl<'a> Question<'a> {
    /// `None` to everything that is no such message.
    pub fn read(message: &'a [u8]) -> Option<Question<'a>> {
        let header = message.get(..HEADER)?;
        // Neither an answer nor another operation than a query.
        let plain = header[2] & 0xf8 == 0;
        let one = header[4..10] == [0, 1, 0, 0, 0, 0];
        let name_end = name_end(message)?;
        let rest = message.get(name_end + 4..)?;
        // Anything else might be a signature, which holds for this very message only.
        let known = match header[10..12] {
            [0, 0] => rest.is_empty(),
            [0, 1] => rest.starts_with(&OPT),
            _ => false,
        };
        (plain && one && known).then_some(Question { message, name_end })
    }

    /// The id that its answer carries too.
    pub fn id(&self) -> u16 {
        u16::from_be_bytes([self.message[0], self.message[1]])
    }

    /// Labels with their lengths, without the root's.
    pub fn name(&self) -> &'a [u8] {
        &self.message[HEADER..self.name_end - 1]
    }

    /// Whether it asks for addresses of the internet: A or AAAA, IN.
    pub fn is_for_addresses(&self) -> bool {
        matches!(self.kind_and_class(), [0, 1 | 28, 0, 1])
    }

    /// The same question about another name; `None` when the name is too long.
    pub fn about(&self, id: u16, name: &[u8]) -> Option<Vec<u8>> {
        if name.len() + 1 > LONGEST_NAME {
            return None;
        }
        let mut message = id.to_be_bytes().to_vec();
        message.extend_from_slice(&self.message[2..HEADER]);
        message.extend_from_slice(name);
        message.push(0);
        message.extend_from_slice(&self.message[self.name_end..]);
        Some(message)
    }

    /// Whether both ask for the same in the same words, but for id and case.
    pub fn is_same(&self, other: &Question<'_>) -> bool {
        self.message[2..HEADER] == other.message[2..HEADER]
            && self.name().eq_ignore_ascii_case(other.name())
            && self.message[self.name_end..] == other.message[other.name_end..]
    }

    /// What a message says to this question; `None` when it is no answer to it.
    pub fn verdict(&self, answer: &[u8]) -> Option<Verdict> {
        let header = answer.get(..HEADER)?;
        let ours = header[..2] == self.message[..2]
            && header[2] & 0xf8 == 0x80
            && header[4..6] == [0, 1]
            && name_end(answer)? == self.name_end
            && self
                .section()
                .eq_ignore_ascii_case(answer.get(HEADER..self.name_end)?)
            && self.kind_and_class() == answer.get(self.name_end..self.name_end + 4)?;
        let whole = header[2] & 0x02 == 0;
        let no_such_name = header[3] & 0x0f == 3;
        ours.then_some(match whole && no_such_name {
            true => Verdict::NoSuchName,
            false => Verdict::Other,
        })
    }

    /// An answer to the same question as the answer to this one: its id and the case of its name
    /// are this one's, for resolvers compare both.
    pub fn answered_as(&self, answer: &[u8]) -> Option<Vec<u8>> {
        if name_end(answer)? != self.name_end {
            return None;
        }
        let mut answer = answer.to_vec();
        answer[..2].copy_from_slice(&self.message[..2]);
        answer[HEADER..self.name_end].copy_from_slice(self.section());
        Some(answer)
    }

    fn section(&self) -> &'a [u8] {
        &self.message[HEADER..self.name_end]
    }

    fn kind_and_class(&self) -> &'a [u8] {
        &self.message[self.name_end..self.name_end + 4]
    }
}

/// Where the name of a message's question ends; a question's name is never compressed.
fn name_end(message: &[u8]) -> Option<usize> {
    let mut at = HEADER;
    loop {
        match usize::from(*message.get(at)?) {
            0 => break,
            length @ 1..64 => at += 1 + length,
            _ => return None,
        }
    }
    (at + 1 - HEADER <= LONGEST_NAME).then_some(at + 1)
}

/// A name as it is written, in the form of the wire without the root's label; `None` when it is
/// none. Escapes are not understood: no search list has them.
pub fn wire_name(text: &str) -> Option<Vec<u8>> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let mut name = Vec::with_capacity(text.len() + 1);
    for label in text.split('.').filter(|_| !text.is_empty()) {
        let length = u8::try_from(label.len()).ok()?;
        if !(1..64).contains(&length) {
            return None;
        }
        name.push(length);
        name.extend_from_slice(label.as_bytes());
    }
    (name.len() < LONGEST_NAME).then_some(name)
}

/// The labels of a name in the form of the wire.
pub fn labels(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = name;
    std::iter::from_fn(move || {
        let (&length, behind) = rest.split_first()?;
        let (label, after) = behind.split_at_checked(length.into())?;
        rest = after;
        Some(label)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(id: u16, name: &str, kind: u8) -> Vec<u8> {
        let mut message = id.to_be_bytes().to_vec();
        message.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        message.extend(wire_name(name).unwrap());
        message.extend([0, 0, kind, 0, 1]);
        message
    }

    fn answer(question: &[u8], code: u8) -> Vec<u8> {
        let mut answer = question.to_vec();
        answer[2] |= 0x80;
        answer[3] = 0x80 | code;
        answer
    }

    #[test]
    fn only_plain_questions_are_read() {
        let whole = question(7, "db.shop", 1);
        assert_eq!(Question::read(&whole).unwrap().id(), 7);
        for size in 0..whole.len() {
            assert!(Question::read(&whole[..size]).is_none(), "{size}");
        }
        let mut changed = whole.clone();
        changed.push(0);
        assert!(Question::read(&changed).is_none(), "bytes behind it");
        assert!(Question::read(&answer(&whole, 0)).is_none());
        let mut with_options = whole.clone();
        with_options[11] = 1;
        with_options.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
        assert!(Question::read(&with_options).is_some());
        // TSIG (type 250).
        let at = with_options.len() - 9;
        with_options[at] = 250;
        assert!(Question::read(&with_options).is_none());
        for (place, bits) in [(2, 0x28), (5, 2), (7, 1), (9, 1), (12, 0xc0)] {
            let mut changed = whole.clone();
            changed[place] = bits;
            assert!(Question::read(&changed).is_none(), "{place}");
        }
    }

    #[test]
    fn the_same_question_differs_in_id_and_case_only() {
        let ours = question(1, "db.Shop", 1);
        let same = |other: &[u8]| {
            Question::read(&ours)
                .unwrap()
                .is_same(&Question::read(other).unwrap())
        };
        assert!(same(&question(2, "DB.shop", 1)));
        assert!(!same(&question(1, "db.shop", 28)));
        assert!(!same(&question(1, "dc.shop", 1)));
        let mut authentic = question(1, "db.shop", 1);
        authentic[3] = 0x20;
        assert!(!same(&authentic), "another flag");
        let mut options = question(1, "db.shop", 1);
        options[11] = 1;
        options.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
        assert!(!same(&options));
    }

    #[test]
    fn an_answer_belongs_to_its_question_alone() {
        let ours = question(1, "db.shop", 1);
        let read = Question::read(&ours).unwrap();
        assert_eq!(read.verdict(&answer(&ours, 3)), Some(Verdict::NoSuchName));
        assert_eq!(read.verdict(&answer(&ours, 0)), Some(Verdict::Other));
        let mut cut = answer(&ours, 3);
        cut[2] |= 2;
        assert_eq!(read.verdict(&cut), Some(Verdict::Other), "truncated");
        assert_eq!(read.verdict(&ours), None, "a question");
        for other in [
            question(2, "db.shop", 1),
            question(1, "db.shop", 28),
            question(1, "dc.shop", 1),
            question(1, "db.shop.a", 1),
        ] {
            assert_eq!(read.verdict(&answer(&other, 3)), None);
        }
        let whole = answer(&ours, 3);
        for size in 0..whole.len() {
            assert_eq!(read.verdict(&whole[..size]), None, "{size}");
        }
    }

    #[test]
    fn an_answer_carries_the_id_and_the_case_of_the_question_it_is_given_for() {
        let (asked, ours) = (question(1, "db.shop", 1), question(0x1234, "dB.sHOP", 1));
        let mut given = answer(&asked, 0);
        given.extend(b"\xc0\x0c records");
        let served = Question::read(&ours).unwrap().answered_as(&given).unwrap();
        let mut expected = answer(&ours, 0);
        expected.extend(b"\xc0\x0c records");
        assert_eq!(served, expected);
    }

    #[test]
    fn another_name_keeps_everything_else() {
        let ours = question(1, "db.shop", 28);
        let other = Question::read(&ours)
            .unwrap()
            .about(9, &wire_name("a.b.c").unwrap());
        assert_eq!(other.unwrap(), question(9, "a.b.c", 28));
        let long = vec![1; 255];
        assert!(Question::read(&ours).unwrap().about(9, &long).is_none());
    }

    #[test]
    fn names_have_labels_that_fit() {
        assert_eq!(wire_name("a.bc.").unwrap(), b"\x01a\x02bc");
        assert_eq!(wire_name(".").unwrap(), b"");
        assert!(wire_name("a..b").is_none());
        assert!(wire_name(&"x".repeat(64)).is_none());
        let name = wire_name("a.bc").unwrap();
        let found: Vec<&[u8]> = labels(&name).collect();
        assert_eq!(found, [&b"a"[..], b"bc"]);
    }
}
