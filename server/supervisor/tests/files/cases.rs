//! The cases.

use super::{
    bed::{Bed, compile_c, in_target, make_root, printed},
    programs,
    runner::Case,
};

pub const ALL: &[Case] = &[
    ("reading_is_as_in_the_pod", reading_is_as_in_the_pod),
    (
        "moving_about_is_as_in_the_pod",
        moving_about_is_as_in_the_pod,
    ),
    ("changing_is_as_in_the_pod", changing_is_as_in_the_pod),
    ("a_python_program_works", programs::python),
    ("a_static_go_program_works", programs::go),
    ("a_shell_works", programs::shell),
    (
        "programs_of_the_pod_are_executed",
        super::execution::programs_of_the_pod_are_executed,
    ),
    (
        "programs_of_the_pod_are_spawned",
        super::execution::programs_of_the_pod_are_spawned,
    ),
    (
        "programs_of_the_pod_are_executed_with_arguments_one_by_one",
        super::execution::programs_of_the_pod_are_executed_with_arguments_one_by_one,
    ),
    (
        "a_static_program_is_told_what_it_cannot_execute",
        super::execution::a_static_program_is_told,
    ),
    (
        "a_changed_user_is_that_user_in_the_pod",
        programs::another_user,
    ),
    (
        "changes_of_the_pod_are_seen_within_a_second",
        programs::changes_of_the_pod,
    ),
];

fn reading_is_as_in_the_pod() {
    same("read");
}

fn moving_about_is_as_in_the_pod() {
    same("move");
}

fn changing_is_as_in_the_pod() {
    same("change");
}

/// The program `look` inside a root folder, and under the supervisor on its twin: static,
/// dynamic, and with the layer.
fn same(what: &str) {
    for (program, layer) in [
        ("root/bin/look", false),
        ("look-dynamic", false),
        ("look-dynamic", true),
    ] {
        let inside = tempfile::tempdir().unwrap();
        make_root(inside.path());
        compile_c("look", &inside.path().join("bin/look"), &["-static"]);
        let expected = printed(in_target(inside.path(), &[what]));
        let bed = Bed::new();
        let path = bed.dir.path().join(program);
        let mut command = match layer {
            true => bed.command_with_layer(path, &[what]),
            false => bed.command(path, &[what]),
        };
        command.current_dir("/");
        let with = if layer { " with the layer" } else { "" };
        compare(
            &expected,
            &printed(command),
            &format!("{program} {what}{with}"),
        );
    }
}

#[track_caller]
fn compare(expected: &str, got: &str, what: &str) {
    assert!(
        expected.lines().count() > 10,
        "{what} printed next to nothing: {expected}"
    );
    let pairs = expected.lines().zip(got.lines());
    let different: Vec<_> = pairs.filter(|(inside, here)| inside != here).collect();
    for (inside, here) in &different {
        println!("  {what}: in the pod `{inside}`, here `{here}`");
    }
    assert!(different.is_empty(), "{} lines differ", different.len());
    assert_eq!(expected.lines().count(), got.lines().count());
}
