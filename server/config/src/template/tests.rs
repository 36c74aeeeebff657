//! Rendering, and the way back from the rendered text.

use super::*;

fn variables() -> Vec<(&'static str, String)> {
    vec![("key", "k1".to_owned()), ("many", "x".to_owned())]
}

fn env() -> HashMap<String, String> {
    [("TARGET".to_owned(), "pod/bear".to_owned())].into()
}

#[test]
fn positions_lead_back_to_what_was_written() {
    let source = "{ \"a\": \"{{ key }}-{{ get_env(name=\"TARGET\") }}\", \"b\": true }";
    let rendered = render(source, &variables(), &env()).unwrap();
    assert_eq!(rendered.text, r#"{ "a": "k1-pod/bear", "b": true }"#);
    let at = rendered.text.find("true").unwrap();
    let (span, made) = rendered.source(&(at..at + 4)).unwrap();
    assert_eq!((&source[span], made), ("true", false));
    let at = rendered.text.find("\"k1").unwrap();
    let (span, made) = rendered.source(&(at..at + 13)).unwrap();
    assert_eq!(
        &source[span],
        "\"{{ key }}-{{ get_env(name=\"TARGET\") }}\""
    );
    assert!(made);
    let at = rendered.text.find("k1").unwrap();
    assert_eq!(
        &source[rendered.source(&(at..at + 2)).unwrap().0],
        "{{ key }}"
    );
}

#[test]
fn positions_inside_loops_lead_back_too() {
    let source = "[{% for n in range(end=3) %}{\"port\": {{ n }}},{% endfor %} {\"end\": 1}]";
    let rendered = render(source, &[], &env()).unwrap();
    assert_eq!(
        rendered.text,
        r#"[{"port": 0},{"port": 1},{"port": 2}, {"end": 1}]"#
    );
    for (at, _) in rendered.text.match_indices("\"port\"") {
        assert_eq!(
            &source[rendered.source(&(at..at + 6)).unwrap().0],
            "\"port\""
        );
    }
    let at = rendered.text.find("\"end\"").unwrap();
    assert_eq!(
        &source[rendered.source(&(at..at + 5)).unwrap().0],
        "\"end\""
    );
}

#[test]
fn whitespace_control_is_rendered_without_a_way_back() {
    let rendered = render("[ {%- if true %} 1 {%- endif %} ]", &[], &env()).unwrap();
    assert_eq!(rendered.text, "[ 1 ]");
    assert!(!rendered.is_traceable());
}

#[test]
fn a_brace_before_any_letter_does_not_hide_what_follows() {
    let source = "{ä: 1}\n{€{{ key }}: true}{";
    let rendered = render(source, &variables(), &env()).unwrap();
    assert_eq!(rendered.text, "{ä: 1}\n{€k1: true}{");
    let at = rendered.text.find("true").unwrap();
    let (span, made) = rendered.source(&(at..at + 4)).unwrap();
    assert_eq!((&source[span], made), ("true", false));
}

#[test]
fn tags_that_are_not_tags_are_pointed_at() {
    for (source, at) in [
        ("{\"ä\": \"{{ key }}\"}\n{% if %}", "{% if %}"),
        ("x {% if true %}{{ key }} {% endfi %}", "{% endfi %}"),
        ("{ {%- if true %} {% endfi %}", "{% endfi %}"),
    ] {
        let error = render(source, &variables(), &env()).unwrap_err();
        let span = error.span.clone().unwrap_or_else(|| panic!("{error:?}"));
        let begin = source.find(at).unwrap();
        assert!(
            (begin..begin + at.len()).contains(&span.start),
            "{source}: {error:?}"
        );
        assert!(!error.message.contains(['\n', MARK.0]), "{error:?}");
    }
}

#[test]
fn what_cannot_be_rendered_is_pointed_at() {
    for (source, message, at) in [
        (
            "{ \"a\": \"{{ git_branch }}\" }",
            "`git_branch` not found",
            "{{ git_branch }}",
        ),
        (
            "{{ get_env(name='NO') }}",
            "`NO` is not set",
            "{{ get_env(name='NO') }}",
        ),
        ("{{ key | nonsense }}", "nonsense", "{{ key | nonsense }}"),
    ] {
        let error = render(source, &variables(), &env()).unwrap_err();
        assert!(error.message.contains(message), "{error:?}");
        assert!(!error.message.contains(MARK.0), "{error:?}");
        if let Some(span) = error.span {
            assert_eq!(&source[span], at);
        }
    }
    let fallback = render("{{ git_branch | default(value='shared') }}", &[], &env()).unwrap();
    assert_eq!(fallback.text, "shared");
}
