//! Dialling again after a link was lost: when, how often, and when that is given up.

use std::time::Duration;

use mirrord_protocol::hello::AgentHello;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::{Endpoint, LinkError, identity::random_key};

/// The first pause; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// One attempt. Packets that a network drops must not use up the whole time: once it carries them
/// again, the next attempt gets through at once.
const ATTEMPT: Duration = Duration::from_secs(3);

/// What the last attempt has.
const LAST: Duration = Duration::from_millis(500);

/// The longest time that a lost link is sought. Connects of programs wait as long, and most of
/// them give up by themselves after ten seconds.
const LONGEST: Duration = Duration::from_secs(8);

/// How long an agent is sought that its holder replaces. The holder knows when there will be none, so
/// this bounds only networks that are away.
const HELD: Duration = Duration::from_secs(15 * 60);

/// How long a lost link to this agent is sought; zero: not at all. Shorter than the agent's own
/// patience, for it may have noticed the loss before us.
pub fn patience(endpoint: &Endpoint, agent: &AgentHello) -> Duration {
    if endpoint.is_held() {
        return HELD;
    }
    (Duration::from_millis(agent.grace_ms) * 4 / 5).min(LONGEST)
}

/// Makes something again with `dial`, after a pause each time, until it is made, its error is one
/// that does not pass, or `within` is over; then with the last error.
pub async fn redial<T, F: Future<Output = Result<T, LinkError>>>(
    within: Duration,
    mut dial: impl FnMut() -> F,
) -> Result<T, LinkError> {
    let deadline = Instant::now() + within;
    let mut pause = FIRST_PAUSE;
    let mut last = None;
    loop {
        // A pause that would outlast the deadline is cut short, so that the last moment is used.
        let next = Instant::now() + with_jitter(pause);
        sleep_until(next.min(deadline - within.min(LAST))).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
        let limit = (Instant::now() + ATTEMPT).min(deadline);
        match timeout_at(limit, dial()).await {
            Ok(Ok(made)) => return Ok(made),
            Ok(Err(error)) if !error.may_pass() => return Err(error),
            Ok(Err(error)) => {
                if matches!(error, LinkError::Coming { .. }) {
                    // It is there from one moment to the next, and asking costs nothing.
                    pause = FIRST_PAUSE * 2;
                }
                last = Some(error);
            }
            Err(_) => {}
        }
        if Instant::now() + LAST >= deadline {
            return Err(last.unwrap_or(LinkError::Timeout {
                what: "linking to the agent again",
                after: within,
            }));
        }
    }
}

/// Between three quarters of it and five: sessions that lost one network together do not all call
/// in one moment.
fn with_jitter(pause: Duration) -> Duration {
    let byte = random_key().map_or(128, |random| random[0]);
    pause * 3 / 4 + pause / 2 * u32::from(byte) / 255
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn refused() -> LinkError {
        LinkError::Connect {
            endpoint: "tcp:127.0.0.1:1".parse().unwrap(),
            source: io::ErrorKind::ConnectionRefused.into(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_to_five_seconds_and_the_last_moment_is_used() {
        let within = Duration::from_secs(30);
        let began = Instant::now();
        let mut at = Vec::new();
        let result: Result<(), _> = redial(within, || {
            at.push(began.elapsed());
            async { Err(refused()) }
        })
        .await;
        assert!(matches!(result, Err(LinkError::Connect { .. })));
        let pauses: Vec<_> = at.windows(2).map(|two| two[1] - two[0]).collect();
        assert!(at[0] <= Duration::from_millis(126), "{at:?}");
        assert!(pauses[0] >= Duration::from_millis(149), "{pauses:?}");
        let longest = pauses.iter().max().unwrap();
        assert!(
            (3750..6300).contains(&longest.as_millis()),
            "the pauses are bounded: {pauses:?}"
        );
        let last = *at.last().unwrap();
        assert!(last <= within && within - last <= LAST);
        assert!((8..14).contains(&at.len()), "{at:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_ends_it_and_an_attempt_that_hangs_does_not() {
        let began = Instant::now();
        let mut attempts = 0;
        let result: Result<(), _> = redial(Duration::from_secs(20), || {
            attempts += 1;
            let hangs = attempts == 1;
            async move {
                if hangs {
                    std::future::pending::<()>().await;
                }
                let reason = "no".to_owned();
                Err(LinkError::Refused { reason })
            }
        })
        .await;
        assert!(matches!(result, Err(LinkError::Refused { .. })));
        assert_eq!(attempts, 2);
        assert!(began.elapsed() < Duration::from_secs(4));
    }
}
