//! Prints what compiling, opening and deciding cost with the default rules:
//! `cargo run --release -p mirrord-rules --example speed`.

use std::hint::black_box;
use std::time::Instant;

use mirrord_rules::{Access, AlignedBlock, FsSource, Machine, RuleSource, compile};

fn main() {
    let machine = Machine {
        home: Some(b"/home/developer".to_vec()),
        working_directory: Some(b"/home/developer/projects/service".to_vec()),
        executable: Some(b"/home/developer/projects/service/target/debug/service".to_vec()),
        tools: Vec::new(),
        temporary_directory: Some(b"/tmp".to_vec()),
    };
    let text = |list: &[&str]| {
        list.iter()
            .map(|text| (*text).to_owned())
            .collect::<Vec<_>>()
    };
    let floating = FsSource {
        read_write: text(&[r".+\.json"]),
        read_only: text(&[r".+\.yaml", r".+important-file\.txt"]),
        local: text(&[r".+\.js", r".+\.mjs"]),
        ..FsSource::default()
    };
    for (name, fs) in [
        ("defaults", FsSource::default()),
        ("floating lists", floating),
    ] {
        let source = RuleSource {
            fs,
            machine: machine.clone(),
            ..RuleSource::default()
        };
        let start = Instant::now();
        let block = AlignedBlock::new(&compile(&source).expect("the rules compile"));
        let compiled = start.elapsed();
        let start = Instant::now();
        let rules = block.rules().expect("the block is good");
        let opened = start.elapsed();
        println!(
            "{name}: {} bytes, compile {compiled:?}, open {opened:?}",
            block.as_bytes().len()
        );
        for path in [
            "/usr/lib/x86_64-linux-gnu/libstdc++.so.6.0.33",
            "/home/developer/projects/service/src/main/resources/application.properties",
            "/var/run/secrets/kubernetes.io/serviceaccount/token",
            "/app/config/settings.toml",
        ] {
            // The best of many short runs: others use this machine too.
            const TIMES: u32 = 2_000;
            let run = || {
                let start = Instant::now();
                for _ in 0..TIMES {
                    black_box(rules.path(black_box(path.as_bytes()), Access::Read));
                }
                start.elapsed() / TIMES
            };
            let each = (0..200).map(|_| run()).min().unwrap_or_default();
            let decision = rules.path(path.as_bytes(), Access::Read);
            println!(
                "  {each:>8?}  {path}: {:?}, {}",
                decision.place, decision.rule
            );
        }
    }
}
