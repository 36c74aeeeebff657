//! Prints how long the features take on a configuration of 2,000 lines, in each language: the time
//! that 95 of 100 answers stay under, on the clock and of the processor (where other work waits
//! beside this, only the latter says something). Run with `cargo run --release -p mirrord-language
//! --example speed`; with a language and a feature behind it (`json hover`) it prints
//! `RESULT milliseconds` of this one alone, by the clock, for `cargo xtask bench`.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use ls_types::{Position, Range, TextDocumentContentChangeEvent};
use mirrord_config::{Format, Surroundings};
use mirrord_language::{Abilities, Document, Encoding, NotLive};

const LINES: usize = 2000;
const ROUNDS: usize = 200;

fn main() {
    let only: Vec<String> = std::env::args().skip(1).collect();
    for (format, name) in [
        (Format::Json, "json"),
        (Format::Yaml, "yaml"),
        (Format::Toml, "toml"),
    ] {
        if only.first().is_some_and(|language| language != name) {
            continue;
        }
        let text = text(format);
        let path = format!("/w/.mirrord/mirrord.{name}");
        let uri = format!("file://{path}").parse().expect("a plain address");
        let mut document = Document::new(uri, path.into(), format, Encoding::Utf16, text);
        let around = Surroundings {
            env: HashMap::new(),
            git_branch: &|| None,
        };
        let lines = document.text().lines().count() as u32;
        // Each round edits a line first, as typing does, so that nothing is remembered.
        let mut measure = |what: &str, ask: &dyn Fn(&Document, Position)| {
            if only.get(1).is_some_and(|feature| feature != what) {
                return;
            }
            let mut times = Vec::new();
            for round in 0..ROUNDS {
                let line = (round as u32 * 7919) % lines;
                let position = Position::new(line, 8);
                let range = Some(Range::new(position, position));
                let started = (Instant::now(), processor());
                for text in [" ", ""] {
                    let range = match text {
                        "" => Some(Range::new(position, Position::new(line, 9))),
                        _ => range,
                    };
                    document.apply(vec![TextDocumentContentChangeEvent {
                        range,
                        range_length: None,
                        text: text.to_owned(),
                    }]);
                }
                ask(&document, position);
                times.push((started.0.elapsed(), processor() - started.1));
            }
            let clock = percentile(times.iter().map(|time| time.0).collect());
            let processor = percentile(times.iter().map(|time| time.1).collect());
            let (clock, processor) = (milliseconds(clock), milliseconds(processor));
            if !only.is_empty() {
                return println!("RESULT {clock:.3}");
            }
            println!("{name} {what}: p95 {clock:.2} ms, {processor:.2} ms of the processor");
        };
        measure("completion", &|document, position| {
            document.completion(position, &NotLive, Abilities { snippets: true });
        });
        measure("hover", &|document, position| {
            document.hover(position, &NotLive, &around);
        });
        measure("diagnostics", &|document, _| {
            let found = document.diagnostics(&around);
            assert!(found.len() < 10, "{:?}", &found[..3]);
        });
    }
}

fn percentile(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() * 95 / 100]
}

fn processor() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Long lists of patterns and variables, as big teams' files have.
fn text(format: Format) -> String {
    let half = LINES / 2;
    let mut text = String::new();
    match format {
        Format::Json => {
            text.push_str("{\n  \"target\": \"sandbox/default\",\n  \"feature\": {\n    \"fs\": {\n      \"local\": [\n");
            let patterns: Vec<String> = (0..half)
                .map(|n| format!("        \"^/srv/data/{n}/.*\\\\.json$\""))
                .collect();
            text.push_str(&patterns.join(",\n"));
            text.push_str("\n      ]\n    },\n    \"env\": {\n      \"override\": {\n");
            let variables: Vec<String> = (0..half)
                .map(|n| format!("        \"VARIABLE_{n}\": \"value {n}\""))
                .collect();
            text.push_str(&variables.join(",\n"));
            text.push_str("\n      }\n    }\n  }\n}\n");
        }
        Format::Yaml => {
            text.push_str("target: sandbox/default\nfeature:\n  fs:\n    local:\n");
            (0..half).for_each(|n| text.push_str(&format!("      - ^/srv/data/{n}/.*\\.json$\n")));
            text.push_str("  env:\n    override:\n");
            (0..half).for_each(|n| text.push_str(&format!("      VARIABLE_{n}: value {n}\n")));
        }
        Format::Toml => {
            text.push_str("target = \"sandbox/default\"\n[feature.fs]\nlocal = [\n");
            (0..half).for_each(|n| text.push_str(&format!("  '^/srv/data/{n}/.*\\.json$',\n")));
            text.push_str("]\n[feature.env.override]\n");
            (0..half).for_each(|n| text.push_str(&format!("VARIABLE_{n} = \"value {n}\"\n")));
        }
    }
    text
}
