// The manifest and the code name the same things.

import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import manifest from "../../package.json";

const sources = readdirSync("src", { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => readFileSync(`src/${name}`, "utf8"))
    .join("\n");
const commands = manifest.contributes.commands.map(({ command }) => command);

test("every command is registered, and no other of ours", () => {
    const registered = [...sources.matchAll(/^\s+(?:registerCommands\(.*\{ )?"(mirrord\.[\w.]+)": /gm), ...sources.matchAll(/, "(mirrord\.[\w.]+)": start\(/g)].map(([, id]) => id);
    assert.deepEqual([...new Set(registered)].sort(), [...commands].sort());
});

test("menus and lenses name commands that are there", () => {
    const named = Object.values(manifest.contributes.menus).flat().map(({ command }) => command);
    const lenses = readFileSync("../../server/language/src/lenses.rs", "utf8");
    const ofLenses = [...lenses.matchAll(/&str = "(mirrord\.\w+)"/g)].map(([, id]) => id ?? "");
    assert.ok(ofLenses.length >= 3);
    for (const id of [...named, ...ofLenses]) assert.ok(commands.includes(id), id);
});

test("every setting is read, and the server's folder is no setting of a workspace without trust", () => {
    for (const name of Object.keys(manifest.contributes.configuration.properties)) {
        // That one the language client reads itself.
        if (name === "mirrord.trace.server") continue;
        assert.ok(sources.includes(`"${name.replace("mirrord.", "")}"`), name);
    }
    assert.deepEqual(manifest.capabilities.untrustedWorkspaces.restrictedConfigurations, ["mirrord.serverPath"]);
});

test("what the manifest shows is there", () => {
    const pictures = manifest.contributes.walkthroughs.flatMap(({ steps }) => steps.map(({ media }) => media.markdown));
    for (const file of [manifest.icon, "media/mirrord.svg", ...pictures]) assert.ok(existsSync(file), file);
});
