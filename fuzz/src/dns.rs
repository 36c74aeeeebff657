//! Name service messages: the program's questions and a name server's answers as both ends of the
//! link look at them, and the pod's files about names.

use mirrord_protocol::dns::{Question, Verdict, labels, wire_name};

/// "No such name", as an answer's fourth byte (RFC 1035, 4.1.1).
const NO_SUCH_NAME: u8 = 3;
/// The header's length.
const HEADER: usize = 12;

/// Tries them: the first byte says how long the question is, the others are the answer.
pub fn run(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first() else {
        return;
    };
    let (question, answer) = rest.split_at(rest.len().min((*length).into()));
    if let Some(read) = Question::read(question) {
        asked(question, &read, answer);
    }
    written(&String::from_utf8_lossy(answer));
    mirrord_net::fuzzing::any_question(question);
    mirrord_agent::fuzzing::any_answer(rest);
}

/// A question is itself in every way it is put again, and only an answer to it is one.
fn asked(question: &[u8], read: &Question<'_>, answer: &[u8]) {
    let name: Vec<u8> = labels(read.name())
        .flat_map(|label| [&[label.len() as u8], label].concat())
        .collect();
    assert_eq!(name, read.name());
    let again = read.about(read.id(), &name).expect("its own name fits");
    assert_eq!(again, question);
    assert!(read.is_same(&Question::read(&again).expect("the same message")));

    let mut none = question.to_vec();
    (none[2], none[3]) = (0x80, NO_SUCH_NAME);
    assert_eq!(read.verdict(&none), Some(Verdict::NoSuchName));
    if read.verdict(answer).is_some() {
        let served = read.answered_as(answer).expect("an answer to it");
        assert_eq!(served.len(), answer.len());
        assert_eq!(served[..2], question[..2]);
        let end = HEADER + read.name().len();
        assert_eq!(served[HEADER..end], question[HEADER..end]);
        assert_eq!(served[end..], answer[end..]);
    }
}

/// A name that can be asked for comes back as it was written.
fn written(text: &str) {
    if let Some(wire) = wire_name(text) {
        let labels: Vec<&[u8]> = labels(&wire).collect();
        let dotted = text.strip_suffix('.').unwrap_or(text);
        assert_eq!(labels.join(&b'.'), dotted.as_bytes());
    }
}
