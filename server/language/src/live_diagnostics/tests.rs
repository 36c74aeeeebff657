use mirrord_config::Format::{self, Json, Toml, Yaml};

use crate::{Document, Encoding, Live, LivePort, NotLive, TargetState, WrittenCluster};

/// `deployment/web` is there and declares two ports; nothing else is known but what is missing.
struct Shop;

impl Live for Shop {
    fn target_state(&self, target: &str, namespace: Option<&str>) -> Option<TargetState> {
        assert_eq!(namespace, Some("shop"));
        match target {
            "deployment/web" | "deployment/web/container/app" => {
                Some(TargetState::There { reason: None })
            }
            "deployment/idle" => Some(TargetState::There {
                reason: Some("deployment/idle has no pods".into()),
            }),
            "pod/unknown" => None,
            other => Some(TargetState::Missing(format!("there is no {other}"))),
        }
    }

    fn ports(&self, target: &str, _: Option<&str>) -> Vec<LivePort> {
        let ports: &[u16] = match target {
            "deployment/web" => &[80, 8080],
            _ => &[],
        };
        let port = |port: &u16| LivePort {
            port: *port,
            detail: None,
        };
        ports.iter().map(port).collect()
    }
}

fn open(format: Format, text: &str) -> Document {
    let uri = "file:///w/.mirrord/mirrord.json".parse().unwrap();
    Document::new(uri, "m".into(), format, Encoding::Utf16, text.to_owned())
}

/// Each as `text: message`.
fn said(format: Format, text: &str, live: &dyn Live) -> Vec<String> {
    let document = open(format, text);
    let found = document.live_diagnostics(live).into_iter();
    let shown = found.map(|one| {
        let span = document.span(one.range);
        format!("{}: {}", &document.text()[span], one.message)
    });
    shown.collect()
}

#[test]
fn a_target_that_is_not_there_is_told_where_it_stands() {
    let json = r#"{"target": {"path": "pod/gone", "namespace": "shop"}}"#;
    assert_eq!(
        said(Json, json, &Shop),
        [r#""pod/gone": there is no pod/gone"#]
    );
    let object = "target:\n  path:\n    deployment: web\n    container: db\n  namespace: shop\n";
    let told = said(Yaml, object, &Shop);
    assert!(
        told[0].ends_with("there is no deployment/web/container/db"),
        "{told:?}"
    );
    let idle = "[target]\npath = 'deployment/idle'\nnamespace = 'shop'\n";
    assert_eq!(
        said(Toml, idle, &Shop),
        ["'deployment/idle': deployment/idle has no pods"]
    );
    for text in ["pod/unknown", "deployment/web"] {
        let text = format!("target: {{path: {text}, namespace: shop}}\n");
        assert!(said(Yaml, &text, &Shop).is_empty(), "{text}");
    }
    assert!(said(Json, json, &NotLive).is_empty());
    assert!(said(Json, "{\"target\":", &NotLive).is_empty());
}

#[test]
fn ports_are_told_where_others_are_declared() {
    let rest = "feature:\n  network:\n    incoming:\n      ports: [80, 81]\n      port_mapping: [[3000, 8080], [8080, 3000]]\n      http_filter:\n        ports: [82]\n";
    let text = format!("target: {{path: deployment/web, namespace: shop}}\n{rest}");
    let told = said(Yaml, &text, &Shop);
    let words = |port: &str| {
        format!("{port}: deployment/web declares no port {port}; it declares 80, 8080")
    };
    assert_eq!(told, [words("81"), words("82"), words("3000")]);
    // It declares none: nothing is known.
    let text = format!("target: {{path: deployment/web/container/app, namespace: shop}}\n{rest}");
    assert!(said(Yaml, &text, &Shop).is_empty());
}

#[test]
fn the_cluster_is_what_is_written_and_no_template() {
    let text = "kube_context: prod\nkubeconfig: /k\ntarget: {path: pod/a, namespace: shop}\n";
    let written = open(Yaml, text).cluster();
    let expected = WrittenCluster {
        kubeconfig: Some("/k".into()),
        context: Some("prod".into()),
        namespace: Some("shop".into()),
        accept_invalid_certificates: false,
    };
    assert_eq!(written, Some(expected));
    let template = "kube_context: \"{{ get_env(name='C') }}\"\n";
    assert_eq!(open(Yaml, template).cluster(), None);
}
