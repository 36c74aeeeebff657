//! Settings that are read and that the session does not follow yet. Whoever makes it follow one
//! takes its warning away here; keys that nothing reads have theirs where they are declared.

use super::Checks;
use crate::config::Config;
use crate::config::http_filter::HttpFilterConfig;
use crate::problem::Code;

impl Checks {
    pub(super) fn not_yet(&mut self, config: &Config) {
        let network = &config.feature.network;

        let http = &network.incoming.http_filter;
        let not_yet = HttpFilterConfig::not_yet(network.incoming.mode.value.0);
        if let (Some((name, origin)), Some(not_yet)) = (http.first(), not_yet) {
            let message = format!("feature.network.incoming.http_filter.{name}: {not_yet}");
            self.warning(Code::NotYet, origin, &message);
        }
        if !network.ipv6.value {
            self.warning(
                Code::NotYet,
                &network.ipv6.origin,
                "feature.network.ipv6: not yet: keeping IPv6 from the program comes later",
            );
        }
        if !config.skip_build_tools.value {
            self.warning(
                Code::NotYet,
                &config.skip_build_tools.origin,
                "skip_build_tools: not yet: debuggers and build tools always run as if we were \
                 not here",
            );
        }
    }
}
