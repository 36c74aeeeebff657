//! `agent` and what else is about starting one in a cluster.

use super::Shape::{Bool, Keys, ListOf, Number, Object, Text, TextList, TextMap, TextOr, Words};
use super::{Shape, U16, U32, U64, key};
use crate::group::{Status, Word};

const OWN_PACKETS: Status = Status::NotNeeded("connections are taken without iptables here");
const NO_MARK: Status = Status::NotNeeded("answers pass unchanged here");

const PULL_POLICIES: &[Word] = &[
    Word {
        word: "Always",
        doc: "Each time.",
    },
    Word {
        word: "IfNotPresent",
        doc: "When the node lacks it.",
    },
    Word {
        word: "Never",
        doc: "Never; the node must have it.",
    },
];

const PROFILE: Shape = Keys(&[
    key(
        "type",
        Text,
        "`RuntimeDefault`, `Localhost` or `Unconfined`.",
    ),
    key(
        "localhost_profile",
        Text,
        "The profile's name on the node, for `Localhost`.",
    ),
]);

pub(crate) const AGENT: Shape = Keys(&[
    key("namespace", Text, "Namespace that the agent runs in.").env(&["MIRRORD_AGENT_NAMESPACE"]),
    key(
        "image",
        TextOr(&[
            key("registry", Text, "The image's registry and name.")
                .env(&["MIRRORD_AGENT_IMAGE_REGISTRY"]),
            key("tag", Text, "The image's tag.").env(&["MIRRORD_AGENT_IMAGE_TAG"]),
        ]),
        "The agent's image.",
    )
    .env(&["MIRRORD_AGENT_IMAGE"]),
    key(
        "image_pull_policy",
        Words(PULL_POLICIES),
        "When the node fetches the image.",
    )
    .env(&["MIRRORD_AGENT_IMAGE_PULL_POLICY"]),
    key(
        "image_pull_secrets",
        ListOf(&[key("name", Text, "The secret's name.")]),
        "Secrets that the image is fetched with.",
    ),
    key(
        "ephemeral",
        Bool,
        "Run the agent as an ephemeral container of the target's pod.",
    )
    .env(&["MIRRORD_EPHEMERAL_CONTAINER"]),
    key(
        "ttl",
        U16,
        "Seconds that an ended agent's pod is kept, for its log.",
    )
    .env(&["MIRRORD_AGENT_TTL"]),
    key(
        "startup_timeout",
        U64,
        "Seconds that the agent has to start.",
    )
    .env(&["MIRRORD_AGENT_STARTUP_TIMEOUT"]),
    key(
        "communication_timeout",
        U16,
        "Seconds that an agent lives without a session.",
    )
    .env(&["MIRRORD_AGENT_COMMUNICATION_TIMEOUT"]),
    key(
        "log_level",
        Text,
        "The agent's log level, as for `RUST_LOG`.",
    )
    .env(&["MIRRORD_AGENT_RUST_LOG"]),
    key("json_log", Bool, "Write the agent's log as JSON.").env(&["MIRRORD_AGENT_JSON_LOG"]),
    key("labels", TextMap, "Labels of the agent's job and pod."),
    key(
        "annotations",
        TextMap,
        "Annotations of the agent's job and pod.",
    ),
    key(
        "node_selector",
        TextMap,
        "Nodes that an agent without target may run on.",
    ),
    key(
        "tolerations",
        ListOf(&[
            key("key", Text, "The taint's key."),
            key("operator", Text, "`Exists` or `Equal`."),
            key("value", Text, "The taint's value, for `Equal`."),
            key(
                "effect",
                Text,
                "`NoSchedule`, `PreferNoSchedule` or `NoExecute`.",
            ),
            key(
                "tolerationSeconds",
                Number(i64::MAX as u64),
                "How long, for `NoExecute`.",
            ),
        ]),
        "Taints of nodes that the agent's pod stands.",
    ),
    key(
        "resources",
        Keys(&[
            key("requests", Object, "What is reserved."),
            key("limits", Object, "What may be used at most."),
            key(
                "claims",
                ListOf(&[
                    key("name", Text, "The claim's name."),
                    key("request", Text, "The request in it."),
                ]),
                "Claims of dynamic resources.",
            ),
        ]),
        "Resources of the agent's pod.",
    ),
    key(
        "security_context",
        Keys(&[
            key("app_armor_profile", PROFILE, "The AppArmor profile."),
            key("seccomp_profile", PROFILE, "The seccomp profile."),
        ]),
        "Security context of the agent's pod.",
    ),
    key(
        "service_account",
        Text,
        "Service account of the agent's pod.",
    ),
    key("priority_class", Text, "Priority class of the agent's pod."),
    key(
        "privileged",
        Bool,
        "Run the agent's container as privileged.",
    ),
    key(
        "disabled_capabilities",
        TextList,
        "Capabilities that the agent's container is not given.",
    ),
    key(
        "check_out_of_pods",
        Bool,
        "See whether the node has room for a pod first.",
    ),
    key(
        "dns",
        Keys(&[
            key("timeout", U32, "Seconds that a look-up may take."),
            key("attempts", U32, "How often a look-up is tried."),
        ]),
        "How the agent resolves names.",
    ),
    key(
        "metrics",
        Text,
        "Address that the agent offers Prometheus metrics at.",
    ),
    key(
        "exclude_from_mesh",
        Bool,
        "Keep a mesh's sidecar from the agent's port.",
    )
    .env(&["MIRRORD_AGENT_EXCLUDE_FROM_MESH"]),
    key(
        "disable_mesh_sidecar_injection",
        Bool,
        "Keep meshes from putting a sidecar beside the agent.",
    ),
    key(
        "http_detection_timeout",
        U64,
        "Seconds that the first bytes of a connection are waited for to see whether it is HTTP.",
    )
    .env(&["MIRRORD_AGENT_HTTP_DETECTION_TIMEOUT"]),
    key(
        "max_body_buffer_size",
        U32,
        "Bytes of a request's body that filters on bodies look at.",
    ),
    key(
        "max_body_buffer_timeout",
        U32,
        "Milliseconds that a request's body may take to arrive for such filters.",
    ),
    key(
        "jaq_time_limit",
        U64,
        "Milliseconds that a `jq` filter may take.",
    ),
    key("inject_headers", Bool, "Mark answers with who gave them.").status(NO_MARK),
    key(
        "override_cache_control",
        Bool,
        "Keep answers from being cached.",
    )
    .status(NO_MARK),
    key(
        "flush_connections",
        Bool,
        "End connections that stand when a port is stolen.",
    )
    .status(Status::NotNeeded(
        "connections that stand stay with the target's program",
    ))
    .env(&["MIRRORD_AGENT_STEALER_FLUSH_CONNECTIONS"]),
    key(
        "clean_iptables_on_start",
        Bool,
        "Remove iptables rules that an agent left behind.",
    )
    .status(OWN_PACKETS)
    .env(&["MIRRORD_AGENT_CLEAN_IPTABLES_ON_START"]),
    key("nftables", Bool, "Which kind of iptables the agent uses.").status(OWN_PACKETS),
    key(
        "external_ip_fix",
        Bool,
        "Pass requests on to the pod's own address.",
    )
    .status(Status::NotNeeded(
        "requests are always passed on to the address they came for",
    ))
    .env(&["MIRRORD_AGENT_EXTERNAL_IP_FIX"]),
]);

pub(crate) const STARTUP_RETRY: Shape = Keys(&[
    key(
        "min_ms",
        U64,
        "The shortest time between two tries, in milliseconds.",
    ),
    key(
        "max_ms",
        U64,
        "The longest time between two tries, in milliseconds.",
    ),
    key("max_retries", U32, "How often it is tried again."),
]);
