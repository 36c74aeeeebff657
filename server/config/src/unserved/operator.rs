//! What only mirrord's paid operator serves.

use super::Shape::{Bool, Keys, ListOf, NumberOr, Text, TextList, Texts, Toggle, Words};
use super::{Shape, U64, key};
use crate::group::Word;

pub(crate) const CI: Shape = Keys(&[key(
    "output_dir",
    Text,
    "Folder for what the programs write.",
)]);

pub(crate) const COPY_TARGET: Shape = Toggle(&[
    key("enabled", Bool, "Work in a copy."),
    key("scale_down", Bool, "Scale the target down meanwhile."),
    key(
        "exclude_containers",
        TextList,
        "Containers that are not copied.",
    ),
    key(
        "exclude_init_containers",
        TextList,
        "Init containers that are not copied.",
    ),
]);

const FOREVER: &[Word] = &[Word {
    word: "infinite",
    doc: "For ever.",
}];

const MOUNT_TYPES: &[Word] = &[
    Word {
        word: "text",
        doc: "Text.",
    },
    Word {
        word: "binary",
        doc: "Base64.",
    },
];

const MOUNTS: Shape = ListOf(&[
    key(
        "mount_at",
        Text,
        "Absolute path of the file in the container.",
    ),
    key("type", Words(MOUNT_TYPES), "How `payload` is written."),
    key("payload", Text, "The file's content."),
    key("from_file", Text, "A local file with the content."),
]);

pub(crate) const PREVIEW: Shape = Keys(&[
    key("image", Text, "The image to run.").env(&["MIRRORD_PREVIEW_IMAGE"]),
    key("replicas", Shape::Number(i32::MAX as u64), "How many pods.")
        .env(&["MIRRORD_PREVIEW_REPLICAS"]),
    key(
        "ttl_mins",
        NumberOr(u32::MAX as u64, FOREVER),
        "How long it lives, in minutes.",
    )
    .env(&["MIRRORD_PREVIEW_TTL_MINS"]),
    key(
        "ttl_secs",
        NumberOr(u32::MAX as u64, FOREVER),
        "How long it lives, in seconds.",
    )
    .env(&["MIRRORD_PREVIEW_TTL_SECS"]),
    key(
        "creation_timeout_secs",
        U64,
        "Seconds that it has to become ready.",
    )
    .env(&["MIRRORD_PREVIEW_CREATION_TIMEOUT_SECS"]),
    key("config_mounts", MOUNTS, "Files for its pods."),
    key(
        "secret_mounts",
        MOUNTS,
        "Files for its pods, kept as a secret.",
    ),
    key(
        "labels",
        Keys(&[
            key("include", Texts, "Only these."),
            key("exclude", Texts, "All but these."),
        ]),
        "Labels of the target's pods that its pods get.",
    ),
    key(
        "idle",
        Keys(&[
            key(
                "sleep_after_secs",
                U64,
                "Seconds without requests after which it sleeps.",
            )
            .env(&["MIRRORD_PREVIEW_IDLE_SLEEP_AFTER_SECS"]),
            key("start_idle", Bool, "Begin asleep.").env(&["MIRRORD_PREVIEW_START_IDLE"]),
            key(
                "wake_timeout_secs",
                U64,
                "Seconds that a request waits for it to wake.",
            )
            .env(&["MIRRORD_PREVIEW_IDLE_WAKE_TIMEOUT_SECS"]),
        ]),
        "Sleep while nobody asks.",
    ),
]);
