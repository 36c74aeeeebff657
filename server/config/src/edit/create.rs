//! A new configuration: short, with what most people change first, and why.

use serde_json::Value as Json;

use super::write;
use crate::parse::Format;

/// The text of a new file. Without a target the place for one is shown.
pub fn template(format: Format, target: Option<&str>) -> String {
    let quoted = Json::from(target.unwrap_or("pod/NAME")).to_string();
    match format {
        // Comments would keep mirrord itself from reading it.
        Format::Json => {
            let target = target.map_or(String::new(), |_| format!("  \"target\": {quoted},\n"));
            format!(
                "{{\n{target}  \"feature\": {{\n    \"env\": true,\n    \"fs\": \"read\",\n    \
                 \"network\": {{\n      \"incoming\": \"mirror\",\n      \"outgoing\": true\n    \
                 }}\n  }}\n}}\n"
            )
        }
        Format::Yaml => {
            let target = match target {
                Some(target) => format!("target: {}", write::yaml_text(target)),
                None => "# target: pod/NAME/container/NAME".to_owned(),
            };
            format!(
                "# What to run inside of: pod/NAME, deployment/NAME, container/NAME, process/PID …\n\
                 {target}\n\nfeature:\n  # The target's environment variables.\n  env: true\n\n  \
                 # The target's files: `read`, `write`, `local`, `localwithoverrides`.\n  fs: read\n\n  \
                 network:\n    # `mirror`: the target answers, and the program gets a copy;\n    \
                 # `steal`: the program answers; `off`.\n    incoming: mirror\n    \
                 # What the program connects to goes out from the target.\n    outgoing: true\n"
            )
        }
        Format::Toml => {
            let target = match target {
                Some(_) => format!("target = {quoted}"),
                None => "# target = \"pod/NAME/container/NAME\"".to_owned(),
            };
            format!(
                "# What to run inside of: pod/NAME, deployment/NAME, container/NAME, process/PID …\n\
                 {target}\n\n[feature]\n# The target's environment variables.\nenv = true\n\
                 # The target's files: `read`, `write`, `local`, `localwithoverrides`.\nfs = \"read\"\n\n\
                 [feature.network]\n# `mirror`: the target answers, and the program gets a copy;\n\
                 # `steal`: the program answers; `off`.\nincoming = \"mirror\"\n\
                 # What the program connects to goes out from the target.\noutgoing = true\n"
            )
        }
    }
}
