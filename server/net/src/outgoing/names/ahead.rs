//! Answers that came before their questions.
//!
//! A look-up goes through the pod's search list one name after the other, and each would be a
//! round trip. So the agent is told with the first question what the program will ask next
//! ([`search`]), and asks that itself; what comes is kept here until the program asks for it. The
//! promise: the program gets what it would have got, at most [`KEPT`] old and each answer once,
//! and nothing is asked that its resolver would not ask.

mod search;

use std::collections::VecDeque;
use std::time::Duration;

use mirrord_protocol::dns::{Question, Verdict};
use tokio::time::Instant;

use super::Client;
pub(crate) use search::SearchList;

/// How long an answer waits for its question. Resolvers ask at once; a change in the pod is seen
/// within a second.
const KEPT: Duration = Duration::from_millis(500);
/// How long a question waits for an answer that is on its way before it is asked by itself.
const PATIENCE: Duration = Duration::from_millis(250);
/// When no answer comes any more.
const FORGOTTEN: Duration = Duration::from_secs(10);
/// Look-ups that are remembered; the oldest are given up.
const MOST: usize = 128;

/// The look-ups that go on at one name server.
#[derive(Default)]
pub(super) struct Ahead {
    look_ups: VecDeque<LookUp>,
}

struct LookUp {
    /// The program's own question.
    first: Vec<u8>,
    steps: Vec<Step>,
    touched: Instant,
}

/// A question that the agent may ask ahead.
struct Step {
    question: Vec<u8>,
    state: State,
}

enum State {
    /// The one before it is not answered yet.
    Planned,
    /// The agent has asked it, and perhaps the program too.
    Asked {
        since: Instant,
        waiting: Option<Waiting>,
    },
    /// The program may ask it.
    Answered { at: Instant, answer: Vec<u8> },
    /// The program had its answer.
    Over,
}

/// A question of the program whose answer is on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) client: Client,
    pub(super) question: Vec<u8>,
}

/// What becomes of a question.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// Here is its answer.
    Answer(Vec<u8>),
    /// Its answer will come from [`Ahead::heard`], or the question from [`Ahead::overdue`].
    Waits,
    /// It must be asked.
    Unknown,
}

/// What becomes of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// It belongs to a question that the program asked itself.
    Programs,
    /// It was asked ahead, and belongs to this socket if somebody waits already.
    Ahead(Option<(Client, Vec<u8>)>),
}

impl Ahead {
    /// `next` goes to the agent with the question `first`.
    pub(super) fn plan(&mut self, first: &[u8], next: &[Vec<u8>], now: Instant) {
        self.look_ups.retain(|one| {
            now - one.touched < FORGOTTEN && (one.first != first || one.is_awaited())
        });
        if self.look_ups.len() == MOST {
            self.look_ups.pop_front();
        }
        let planned = |question: &Vec<u8>| Step {
            question: question.clone(),
            state: State::Planned,
        };
        self.look_ups.push_back(LookUp {
            first: first.to_vec(),
            steps: next.iter().map(planned).collect(),
            touched: now,
        });
    }

    /// The program asks.
    pub(super) fn take(&mut self, client: Client, question: &[u8], now: Instant) -> Taken {
        let Some(asked) = Question::read(question) else {
            return Taken::Unknown;
        };
        for step in self.look_ups.iter_mut().flat_map(|one| &mut one.steps) {
            let same = Question::read(&step.question).is_some_and(|ahead| ahead.is_same(&asked));
            if !same {
                continue;
            }
            match &mut step.state {
                State::Answered { at, answer } => {
                    let answer = (now - *at <= KEPT).then(|| asked.answered_as(answer));
                    step.state = State::Over;
                    if let Some(Some(answer)) = answer {
                        return Taken::Answer(answer);
                    }
                }
                State::Asked { since, waiting } if now - *since < PATIENCE => {
                    let waits = Waiting {
                        client,
                        question: question.to_vec(),
                    };
                    match waiting {
                        // The same datagram once more.
                        Some(already) if *already == waits => return Taken::Waits,
                        Some(_) => {}
                        None => {
                            *waiting = Some(waits);
                            return Taken::Waits;
                        }
                    }
                }
                State::Planned | State::Asked { .. } | State::Over => {}
            }
        }
        Taken::Unknown
    }

    /// An answer came from the name server.
    pub(super) fn heard(&mut self, answer: &[u8], now: Instant) -> Heard {
        let verdict = |question: &[u8]| Question::read(question)?.verdict(answer);
        for (index, one) in self.look_ups.iter_mut().enumerate() {
            if let Some(verdict) = verdict(&one.first) {
                one.go_on(0, verdict, now);
                if one.steps.is_empty() {
                    self.look_ups.remove(index);
                }
                return Heard::Programs;
            }
            let step = (one.steps.iter().enumerate())
                .find_map(|(at, step)| Some((at, verdict(&step.question)?)));
            if let Some((at, verdict)) = step {
                one.go_on(at + 1, verdict, now);
                return Heard::Ahead(one.steps[at].keep(answer, now));
            }
        }
        Heard::Programs
    }

    /// Questions that waited long enough, to be asked by themselves.
    pub(super) fn overdue(&mut self, now: Instant) -> Vec<Waiting> {
        let steps = self.look_ups.iter_mut().flat_map(|one| &mut one.steps);
        steps
            .filter_map(|step| match &mut step.state {
                State::Asked { since, waiting } if now - *since >= PATIENCE => waiting.take(),
                _ => None,
            })
            .collect()
    }

    /// When the first of those is overdue.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let steps = self.look_ups.iter().flat_map(|one| &one.steps);
        let waits = steps.filter_map(|step| match &step.state {
            State::Asked {
                since,
                waiting: Some(_),
            } => Some(*since + PATIENCE),
            _ => None,
        });
        waits.min()
    }
}

impl LookUp {
    /// The question before step `at` was answered.
    fn go_on(&mut self, at: usize, verdict: Verdict, now: Instant) {
        self.touched = now;
        match (verdict, self.steps.get_mut(at)) {
            (Verdict::NoSuchName, Some(step)) => {
                if matches!(step.state, State::Planned) {
                    step.state = State::Asked {
                        since: now,
                        waiting: None,
                    };
                }
            }
            // The agent asks no further, and nobody waits for what was not asked.
            (Verdict::Other, Some(step)) if matches!(step.state, State::Planned) => {
                self.steps.truncate(at);
            }
            (_, _) => {}
        }
    }

    fn is_awaited(&self) -> bool {
        let awaited = |step: &Step| {
            matches!(
                step.state,
                State::Asked {
                    waiting: Some(_),
                    ..
                }
            )
        };
        self.steps.iter().any(awaited)
    }
}

impl Step {
    fn keep(&mut self, answer: &[u8], now: Instant) -> Option<(Client, Vec<u8>)> {
        let answered = State::Answered {
            at: now,
            answer: answer.to_vec(),
        };
        let before = std::mem::replace(&mut self.state, State::Over);
        match before {
            State::Asked {
                waiting: Some(waiting),
                ..
            } => {
                let served = Question::read(&waiting.question)?.answered_as(answer)?;
                Some((waiting.client, served))
            }
            State::Planned | State::Asked { .. } => {
                self.state = answered;
                None
            }
            // Answered twice.
            State::Answered { .. } | State::Over => {
                self.state = before;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
