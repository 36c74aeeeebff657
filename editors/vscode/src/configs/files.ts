// Where configuration files lie, as a glob in the workspace's folders.

export const CONFIG_FILES = "**/.mirrord/*mirrord.{json,yaml,yml,toml}";
