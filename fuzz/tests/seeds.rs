//! Replays every seed of every fuzz target: what was found once, and inputs that reach far.

use std::path::Path;

/// The seeds of one target.
fn replay(name: &str) {
    let (_, target) = mirrord_fuzz::TARGETS
        .iter()
        .find(|(known, _)| *known == name)
        .expect("a target of this name");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("seeds")
        .join(name);
    let mut replayed = 0;
    for seed in std::fs::read_dir(&folder).expect("a folder of seeds") {
        let path = seed.expect("a seed").path();
        println!("{}", path.display());
        target(&std::fs::read(&path).expect("a file"));
        replayed += 1;
    }
    assert!(replayed > 0, "{} holds no seed", folder.display());
}

#[test]
fn any_bytes_are_a_message_that_can_be_sent_on_or_an_error() {
    replay("codec");
}

#[test]
fn any_text_as_a_configuration_has_problems_inside_it_and_can_be_changed() {
    replay("config");
}

#[test]
fn names_are_asked_for_and_answered_as_they_were_put() {
    replay("dns");
}

#[test]
fn framing_does_not_depend_on_how_reads_were_cut() {
    replay("framing");
}

#[test]
fn joining_takes_nothing_but_its_own_token() {
    replay("joining");
}

#[test]
fn any_text_and_any_edit_is_answered_in_the_editor() {
    replay("language");
}

#[test]
fn any_launch_is_planned_once_or_refused_in_words() {
    replay("launch");
}

#[test]
fn any_bytes_on_a_link_end_it_in_time() {
    replay("link");
}

#[test]
fn what_is_mirrored_is_what_clients_sent() {
    replay("packets");
}

#[test]
fn every_target_is_replayed() {
    let names = mirrord_fuzz::TARGETS.iter().map(|(name, _)| *name);
    let replayed = [
        "codec", "config", "dns", "framing", "joining", "language", "launch", "link", "packets",
    ];
    assert!(names.eq(replayed));
}
