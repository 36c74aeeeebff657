//! What is wrong with a file as the cluster is just now: a target that is not there, a container or
//! port that it does not have. Warnings only: the cluster may be another one tomorrow.

use ls_types::{Diagnostic, DiagnosticSeverity, NumberOrString};

use crate::diagnostics::SOURCE;
use crate::document::Document;
use crate::live::{Live, TargetState};
use crate::syntax::{Node, NodeKind, Span};

/// A target that is not there.
const NOT_FOUND: &str = "target-not-found";
/// A target in which nothing can be run now.
const NOT_READY: &str = "target-not-ready";
/// A port that the target declares nothing about.
const PORT: &str = "port-not-declared";

impl Document {
    /// What does not fit to what is there now; nothing where nothing is known.
    pub fn live_diagnostics(&self, live: &dyn Live) -> Vec<Diagnostic> {
        let Some(target) = self.meant_target() else {
            return Vec::new();
        };
        let Some(node) = self.tree().root.get("target") else {
            return Vec::new();
        };
        let node = node.get("path").unwrap_or(node);
        let warn = |span: &Span, code: &str, message: String| Diagnostic {
            range: self.range(span),
            severity: Some(DiagnosticSeverity::WARNING),
            code: Some(NumberOrString::String(code.to_owned())),
            source: Some(SOURCE.to_owned()),
            message,
            ..Diagnostic::default()
        };
        match live.target_state(&target, self.namespace()) {
            None => Vec::new(),
            Some(TargetState::Missing(message)) => vec![warn(&node.span, NOT_FOUND, message)],
            Some(TargetState::There { reason }) => {
                let reason = reason.map(|reason| warn(&node.span, NOT_READY, reason));
                let ports = self.undeclared_ports(&target, live);
                let ports = ports
                    .into_iter()
                    .map(|(span, message)| warn(&span, PORT, message));
                reason.into_iter().chain(ports).collect()
            }
        }
    }

    /// Ports of the configuration that the target does not declare. Declaring is a courtesy: of a
    /// target that declares none nothing is known.
    fn undeclared_ports(&self, target: &str, live: &dyn Live) -> Vec<(Span, String)> {
        let declared: Vec<u16> = live
            .ports(target, self.namespace())
            .into_iter()
            .map(|port| port.port)
            .collect();
        if declared.is_empty() {
            return Vec::new();
        }
        let root = &self.tree().root;
        let incoming = ["feature", "network", "incoming"]
            .into_iter()
            .try_fold(root, |node, key| node.get(key));
        let Some(incoming) = incoming else {
            return Vec::new();
        };
        let filter = incoming.get("http_filter");
        let lists = [
            incoming.get("ports"),
            filter.and_then(|filter| filter.get("ports")),
        ];
        let named = lists.into_iter().flatten().flat_map(elements);
        // `[local, remote]`
        let mapped = incoming.get("port_mapping").into_iter().flat_map(elements);
        let remote = mapped.filter_map(|pair| elements(pair).get(1));
        let names: Vec<String> = declared.iter().map(ToString::to_string).collect();
        named
            .chain(remote)
            .filter_map(|node| {
                let port: u16 = node.text()?.parse().ok()?;
                (!declared.contains(&port)).then(|| {
                    let message = format!(
                        "{target} declares no port {port}; it declares {}",
                        names.join(", ")
                    );
                    (node.span.clone(), message)
                })
            })
            .collect()
    }
}

fn elements(node: &Node) -> &[Node] {
    match &node.kind {
        NodeKind::List(elements, _) => elements,
        _ => &[],
    }
}

#[cfg(test)]
mod tests;
