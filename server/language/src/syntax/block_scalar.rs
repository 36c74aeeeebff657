//! YAML's block scalars (`|`, `>`): the lines below that are indented further.

use super::scalar::Quote;
use super::{Node, NodeKind, Scalar, line_end};

/// Reads the block scalar whose mark is at `at`, and where it ends.
pub(super) fn block_scalar(text: &str, at: usize, parent: Option<usize>) -> (Node, usize) {
    let mut end = line_end(text, at);
    let mut body = String::new();
    let mut next = end;
    while next < text.len() {
        let start = next
            + if text[next..].starts_with("\r\n") {
                2
            } else {
                1
            };
        let stop = line_end(text, start);
        let line = &text[start..stop];
        let column = line.len() - line.trim_start_matches(' ').len();
        let inside = parent.is_none_or(|parent| column > parent);
        if !line.trim().is_empty() {
            if !inside {
                break;
            }
            end = stop;
        }
        body.push_str(line.trim_start());
        body.push('\n');
        next = stop;
    }
    let scalar = Scalar {
        text: body.trim_end().to_owned(),
        quote: Quote::Lines,
    };
    let node = Node {
        span: at..end,
        kind: NodeKind::Scalar(scalar),
    };
    (node, end)
}
