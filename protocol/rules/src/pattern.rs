//! Regular expressions become automata whose answer is "the best rule that is found anywhere".
//!
//! Each pattern gets a lazy "anything" in front (unless it begins with `^`), and all start
//! together at the beginning. In a leftmost-first automaton a match ends every thread of lower
//! priority, and priority is the patterns' order: so the last match seen before the automaton
//! dies is that of the best pattern, whatever its place in the text. Anchored patterns let it die
//! after a few bytes, which is what makes `/usr/…` cheap.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, OnceLock};

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_automata::util::start;
use regex_automata::{Anchored, MatchKind};
use regex_syntax::hir::{Class, Dot, Hir, HirKind, Look, Repetition};

/// Largest automaton of several patterns. Beyond it, two automata are quicker to build.
const LARGEST_SHARED: usize = 512 << 10;
/// Largest automaton of one pattern.
const LARGEST: usize = 2 << 20;
/// Patterns with unbounded repetitions inside that may share an automaton: each one multiplies
/// the others' states, for it stays "half found" once its beginning was seen.
const MOST_SPREAD: usize = 3;
/// Patterns that are remembered, of each case.
const MOST_REMEMBERED: usize = 8192;
/// Longer patterns are built to know their size.
const MOST_LETTERS: usize = 200;

/// Why a pattern cannot be used.
#[derive(Debug, Clone)]
pub(crate) struct PatternError {
    pub(crate) reason: String,
    pub(crate) range: Option<Range<usize>>,
}

/// Automata for a list of patterns: each covers the patterns from `first` up to the next one's.
pub(crate) struct Group {
    pub(crate) first: usize,
    pub(crate) automaton: Vec<u8>,
}

/// Parses one pattern.
pub(crate) fn parse(pattern: &str, case_insensitive: bool) -> Result<Hir, PatternError> {
    let parsed = regex_syntax::ParserBuilder::new()
        .case_insensitive(case_insensitive)
        // Paths are bytes; `.` is still a character, but the pattern may run over other bytes.
        .utf8(false)
        .build()
        .parse(pattern);
    let hir = parsed.map_err(|error| match &error {
        regex_syntax::Error::Parse(error) => PatternError {
            reason: format!("bad regular expression: {}", error.kind()),
            range: Some(range_of(error.span())),
        },
        regex_syntax::Error::Translate(error) => PatternError {
            reason: format!("bad regular expression: {}", error.kind()),
            range: Some(range_of(error.span())),
        },
        other => PatternError {
            reason: format!("bad regular expression: {other}"),
            range: None,
        },
    })?;
    Ok(ascii_words(hir))
}

/// Builds automata for patterns, best first. The error names the pattern that is too large.
pub(crate) fn build(patterns: &[Hir]) -> Result<Vec<Group>, (usize, PatternError)> {
    let searched: Vec<Hir> = patterns.iter().map(found_anywhere).collect();
    let mut groups = Vec::new();
    let (mut start, mut spread) = (0, 0);
    for (index, pattern) in patterns.iter().enumerate() {
        let more = usize::from(is_spread(pattern));
        if spread + more > MOST_SPREAD {
            build_range(&searched, start..index, &mut groups)?;
            (start, spread) = (index, 0);
        }
        spread += more;
    }
    build_range(&searched, start..patterns.len(), &mut groups)?;
    Ok(groups)
}

/// What is to be said about one pattern without building a whole list.
#[derive(Debug, Clone)]
pub(crate) struct Verdict {
    /// Why it cannot be used.
    pub(crate) error: Option<PatternError>,
    spread: bool,
}

/// Looks at one pattern. Nothing is built when it is plainly small, and what was found out is
/// remembered: an editor asks about a whole file at each key stroke.
pub(crate) fn check(text: &str, case_insensitive: bool) -> Verdict {
    let key = (case_insensitive, text);
    let remembered = |known: MutexGuard<'_, Known>| known[usize::from(key.0)].get(key.1).cloned();
    if let Some(verdict) = known().lock().ok().and_then(remembered) {
        return verdict;
    }
    let verdict = match parse(text, case_insensitive) {
        Err(error) => Verdict {
            error: Some(error),
            spread: false,
        },
        Ok(hir) => Verdict {
            spread: is_spread(&hir),
            error: (!is_plainly_small(&hir))
                .then(|| build_one(&[found_anywhere(&hir)]).err())
                .flatten()
                .map(|reason| too_large(&reason)),
        },
    };
    if let Ok(mut known) = known().lock() {
        let known = &mut known[usize::from(case_insensitive)];
        if known.len() >= MOST_REMEMBERED {
            known.clear();
        }
        known.insert(text.to_owned(), verdict.clone());
    }
    verdict
}

/// How many automata these patterns would need at least.
pub(crate) fn fewest_groups(verdicts: &[Verdict]) -> usize {
    let spread = verdicts.iter().filter(|verdict| verdict.spread).count();
    spread
        .div_ceil(MOST_SPREAD)
        .max(usize::from(!verdicts.is_empty()))
}

/// By case, then by text.
type Known = [HashMap<String, Verdict>; 2];

fn known() -> &'static Mutex<Known> {
    static KNOWN: OnceLock<Mutex<Known>> = OnceLock::new();
    KNOWN.get_or_init(Mutex::default)
}

/// Whether an automaton has about as many states as the pattern has letters: letters and `.*`
/// between them, nothing that could be in several places at once.
fn is_plainly_small(pattern: &Hir) -> bool {
    fn is_letter(class: &Class) -> bool {
        // A letter in both cases.
        match class {
            Class::Unicode(class) => class.iter().map(|range| range.len()).sum::<usize>() <= 3,
            Class::Bytes(class) => class.iter().map(|range| range.len()).sum::<usize>() <= 2,
        }
    }
    let small = |part: &Hir| match part.kind() {
        HirKind::Empty | HirKind::Literal(_) | HirKind::Look(Look::Start | Look::End) => true,
        HirKind::Class(class) => is_letter(class),
        HirKind::Repetition(repetition) => {
            repetition.max.is_none()
                && repetition.min <= 1
                && matches!(repetition.sub.kind(), HirKind::Class(_))
        }
        _ => false,
    };
    match pattern.kind() {
        HirKind::Concat(parts) => {
            let repeated = |part: &&Hir| matches!(part.kind(), HirKind::Repetition(_));
            parts.len() <= MOST_LETTERS
                && parts.iter().filter(repeated).count() <= MOST_SPREAD
                && parts.iter().all(small)
        }
        _ => small(pattern),
    }
}

/// The best pattern found in `text`, by its number. No allocation, no system call.
#[inline]
pub(crate) fn first_match(automaton: &dense::DFA<&[u32]>, text: &[u8]) -> Option<usize> {
    let start = start::Config::new().anchored(Anchored::Yes);
    let mut state = automaton.start_state(&start).ok()?;
    let mut found = None;
    for &byte in text {
        state = automaton.next_state(state, byte);
        if automaton.is_special_state(state) {
            if automaton.is_match_state(state) {
                found = Some(automaton.match_pattern(state, 0).as_usize());
            } else if automaton.is_dead_state(state) {
                return found;
            }
        }
    }
    state = automaton.next_eoi_state(state);
    if automaton.is_match_state(state) {
        found = Some(automaton.match_pattern(state, 0).as_usize());
    }
    found
}

fn build_range(
    patterns: &[Hir],
    range: Range<usize>,
    groups: &mut Vec<Group>,
) -> Result<(), (usize, PatternError)> {
    if range.is_empty() {
        return Ok(());
    }
    match build_one(&patterns[range.clone()]) {
        Ok(automaton) => {
            groups.push(Group {
                first: range.start,
                automaton,
            });
            Ok(())
        }
        // Too large together: patterns with `.*` inside multiply each other's states.
        Err(_) if range.len() > 1 => {
            let middle = range.start + range.len() / 2;
            build_range(patterns, range.start..middle, groups)?;
            build_range(patterns, middle..range.end, groups)
        }
        Err(reason) => Err((range.start, too_large(&reason))),
    }
}

fn too_large(reason: &str) -> PatternError {
    PatternError {
        reason: format!(
            "this regular expression needs too much memory ({reason}); \
             make it simpler: fewer counted repetitions as `{{1,1000}}`, `[a-z]` for `\\w`"
        ),
        range: None,
    }
}

fn build_one(patterns: &[Hir]) -> Result<Vec<u8>, String> {
    let limit = if patterns.len() == 1 {
        LARGEST
    } else {
        LARGEST_SHARED
    };
    let nfa = NFA::compiler()
        .configure(
            thompson::Config::new()
                .utf8(false)
                .which_captures(WhichCaptures::None)
                .nfa_size_limit(Some(limit)),
        )
        .build_many_from_hir(patterns)
        .map_err(|error| error.to_string())?;
    let automaton = dense::Builder::new()
        .configure(
            dense::Config::new()
                .match_kind(MatchKind::LeftmostFirst)
                .start_kind(StartKind::Anchored)
                .accelerate(false)
                .dfa_size_limit(Some(limit))
                .determinize_size_limit(Some(8 * limit)),
        )
        .build_from_nfa(&nfa)
        .map_err(|error| error.to_string())?;
    let (bytes, padding) = automaton.to_bytes_native_endian();
    Ok(bytes[padding..].to_vec())
}

/// The pattern, to be searched from the beginning of the text. Only whether it is found matters:
/// `.+\.json` is found where `.\.json` is, and so repetitions at the ends go.
fn found_anywhere(pattern: &Hir) -> Hir {
    if pattern.properties().look_set_prefix().contains(Look::Start) {
        return pattern.clone();
    }
    let anything = Hir::repetition(Repetition {
        min: 0,
        max: None,
        greedy: false,
        sub: Box::new(Hir::dot(Dot::AnyByte)),
    });
    let mut parts = vec![anything];
    match pattern.kind() {
        HirKind::Concat(inner) => parts.extend(inner.iter().cloned()),
        _ => parts.push(pattern.clone()),
    }
    let last = parts.len() - 1;
    parts[1] = shortest(&parts[1]);
    parts[last] = shortest(&parts[last]);
    Hir::concat(parts)
}

/// An unbounded repetition at a pattern's end, as few times as it may be.
fn shortest(part: &Hir) -> Hir {
    match part.kind() {
        HirKind::Repetition(repetition) if repetition.max.is_none() => {
            Hir::repetition(Repetition {
                max: Some(repetition.min),
                ..repetition.clone()
            })
        }
        _ => part.clone(),
    }
}

/// Whether a pattern repeats something without bound between other parts.
fn is_spread(pattern: &Hir) -> bool {
    fn unbounded(part: &Hir) -> bool {
        match part.kind() {
            HirKind::Repetition(repetition) => {
                repetition.max.is_none() || unbounded(&repetition.sub)
            }
            HirKind::Capture(capture) => unbounded(&capture.sub),
            HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(unbounded),
            HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => false,
        }
    }
    match pattern.kind() {
        HirKind::Concat(parts) => parts
            .iter()
            .skip(1)
            .take(parts.len().saturating_sub(2))
            .any(unbounded),
        _ => unbounded(pattern),
    }
}

/// `\b` and its kind look at Unicode words, which an automaton cannot; file names are matched as
/// if words were ASCII.
fn ascii_words(hir: Hir) -> Hir {
    match hir.into_kind() {
        HirKind::Look(look) => Hir::look(match look {
            Look::WordUnicode => Look::WordAscii,
            Look::WordUnicodeNegate => Look::WordAsciiNegate,
            Look::WordStartUnicode => Look::WordStartAscii,
            Look::WordEndUnicode => Look::WordEndAscii,
            Look::WordStartHalfUnicode => Look::WordStartHalfAscii,
            Look::WordEndHalfUnicode => Look::WordEndHalfAscii,
            other => other,
        }),
        HirKind::Empty => Hir::empty(),
        HirKind::Literal(literal) => Hir::literal(literal.0),
        HirKind::Class(class) => Hir::class(class),
        HirKind::Repetition(mut repetition) => {
            *repetition.sub = ascii_words(*repetition.sub);
            Hir::repetition(repetition)
        }
        HirKind::Capture(mut capture) => {
            *capture.sub = ascii_words(*capture.sub);
            Hir::capture(capture)
        }
        HirKind::Concat(parts) => Hir::concat(parts.into_iter().map(ascii_words).collect()),
        HirKind::Alternation(parts) => {
            Hir::alternation(parts.into_iter().map(ascii_words).collect())
        }
    }
}

fn range_of(span: &regex_syntax::ast::Span) -> Range<usize> {
    span.start.offset..span.end.offset
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checking_says_what_building_says() {
        for pattern in [
            "^/srv/data/[0-9]+/.*\\.json$",
            "\\.json$",
            "a.*b.*c.*d.*e.*f",
            "(a|b)*c",
            "x{3,9}",
            ".*a.{8}",
            // Too large in both ways.
            "a.{60}b.{60}c",
            "(?:[ab]*a[ab]{18})",
            "\\w{2000}",
        ] {
            let hir = parse(pattern, true).unwrap();
            let built = build(std::slice::from_ref(&hir)).is_ok();
            // The second answer is the remembered one.
            for _ in 0..2 {
                let checked = check(pattern, true).error.is_none();
                assert_eq!(checked, built, "{pattern}");
            }
        }
    }
}
