//! `feature.network.incoming.http_filter`: which requests are taken.

mod parts;

use serde_json::{Value as Json, json};

use super::incoming::IncomingMode;
use super::toggle;
use crate::group::{Shorthand, group};
use crate::kinds::Many;
use crate::reader::Reader;
use crate::setting::{Origin, Setting};
use crate::tree::Node;

pub use parts::{BodyFilter, RequestFilter, RequestFilters};

group! {
    /// Take only some HTTP requests.
    pub struct HttpFilterConfig {
        settings {
            /// Ports that the filter covers; others are taken whole.
            "ports" ports: Option<Many<u16>> = None, env &["MIRRORD_HTTP_FILTER_PORTS"];
            /// A header, as `name: value`, that matches this regular expression, in any case of
            /// letters. `^baggage: .*mirrord-session={{ key }}` takes one developer's requests.
            "header_filter" header_filter: Option<String> = None,
                env &["MIRRORD_HTTP_HEADER_FILTER"];
            /// A path, with or without its query, that matches this regular expression, in any case
            /// of letters.
            "path_filter" path_filter: Option<String> = None,
                env &["MIRRORD_HTTP_PATH_FILTER"];
            /// A method (`GET`), in any case of letters.
            "method_filter" method_filter: Option<String> = None,
                env &["MIRRORD_HTTP_METHOD_FILTER"];
            /// A header, as `name: value`, that this `jq` program says `true` to.
            "header_filter_jq" header_filter_jq: Option<String> = None,
                env &["MIRRORD_HTTP_HEADER_FILTER_JQ"];
            /// A body that matches: `{"body": "json", "query": "$.a[*]", "matches": "^x"}` looks up
            /// values by a JSONPath and matches them with a regular expression.
            "body_filter" body_filter: Option<BodyFilter> = None;
            /// A list of filters (`{"header": …}`, `{"path": …}`, `{"method": …}`, `{"query": …}`
            /// for `jq` on headers, or as `body_filter`) that a request must all match.
            "all_of" all_of: Option<RequestFilters> = None;
            /// A list of filters, as for `all_of`, one of which a request must match.
            "any_of" any_of: Option<RequestFilters> = None;
        }
    }
}

impl HttpFilterConfig {
    /// The filters that are set: their names and where they come from.
    pub(crate) fn set(&self) -> impl Iterator<Item = (&'static str, &Origin)> {
        fn one<'a, T>(
            name: &'static str,
            setting: &'a Setting<Option<T>>,
        ) -> Option<(&'static str, &'a Origin)> {
            setting.value.is_some().then_some((name, &setting.origin))
        }
        [
            one("header_filter", &self.header_filter),
            one("path_filter", &self.path_filter),
            one("method_filter", &self.method_filter),
            one("header_filter_jq", &self.header_filter_jq),
            one("body_filter", &self.body_filter),
            one("all_of", &self.all_of),
            one("any_of", &self.any_of),
        ]
        .into_iter()
        .flatten()
    }

    /// The first filter that is set.
    pub(crate) fn first(&self) -> Option<(&'static str, &Origin)> {
        self.set().next()
    }

    /// Every single filter with the key it stands under.
    pub(crate) fn single(&self) -> Vec<(&'static str, RequestFilter)> {
        let text = |setting: &Setting<Option<String>>| {
            setting.value.clone().map(|value| Setting {
                value,
                origin: setting.origin.clone(),
            })
        };
        let mut filters = Vec::new();
        let own = [
            (
                "header_filter",
                text(&self.header_filter).map(RequestFilter::Header),
            ),
            (
                "path_filter",
                text(&self.path_filter).map(RequestFilter::Path),
            ),
            (
                "method_filter",
                text(&self.method_filter).map(RequestFilter::Method),
            ),
            (
                "header_filter_jq",
                text(&self.header_filter_jq).map(RequestFilter::HeaderJq),
            ),
            (
                "body_filter",
                self.body_filter.value.clone().map(RequestFilter::Body),
            ),
        ];
        filters.extend(
            own.into_iter()
                .filter_map(|(name, filter)| Some((name, filter?))),
        );
        for (name, list) in [("all_of", &self.all_of), ("any_of", &self.any_of)] {
            let list = list.value.iter().flat_map(|list| &list.0);
            filters.extend(list.map(|filter| (name, filter.value.clone())));
        }
        filters
    }

    /// What becomes of a filter that is set, in this mode.
    pub(crate) fn not_yet(mode: IncomingMode) -> Option<&'static str> {
        match mode {
            IncomingMode::Off => None,
            IncomingMode::Mirror => Some(
                "not yet: HTTP filters come later; until then every request is mirrored, also \
                 what the filter would leave out",
            ),
            IncomingMode::Steal => Some(
                "not yet: HTTP filters come later; ports that one covers are mirrored instead of \
                 stolen, so that no request is taken that should stay in the target",
            ),
        }
    }
}

impl Shorthand for HttpFilterConfig {
    fn read_shorthand(&mut self, node: &Node, reader: &mut Reader) -> bool {
        toggle!(HttpFilterConfig, node, reader, |_| ())
    }

    fn expanded(shorthand: &Json) -> Option<Json> {
        shorthand.is_boolean().then(|| json!({}))
    }

    fn shorthands() -> Vec<&'static str> {
        vec!["`true` or `false`"]
    }

    fn shorthand_schemas() -> Vec<Json> {
        vec![json!({ "type": "boolean" })]
    }
}
