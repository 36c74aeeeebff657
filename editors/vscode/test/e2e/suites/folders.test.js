// Several launches and several folders at once: each has its own configuration, session and target.

import assert from "node:assert/strict";
import { join } from "node:path";
import { over } from "../lib/debug.js";
import { editing } from "../lib/editing.js";
import { says, switchOn } from "../lib/mirrord.js";
import { choose, command, openFile, picker, startDebugging } from "../lib/palette.js";
import { nothingLeft, sessions } from "../lib/pod.js";
import { configure, languages, place } from "../lib/programs.js";

const inTarget = (target) => ({ target, feature: { network: { incoming: "steal" } } });

/** A folder of the workspace, as the other helpers take it. */
const folder = (home, name) => ({ workspace: join(home.workspace, name), write: home.write });

/** Waits until each of these launches has said in which pod it is; `begun` is the instant before. */
async function run(server, begun, pods) {
    for (const [launch, pod] of Object.entries(pods)) {
        const says = `listening in ${pod}`;
        // js-debug's session of the process is called `app.js [4242] « node`.
        await server.said(`"${says}" of ${launch}`, ({ at, what, session, text }) => at >= begun && what === "output" && session?.endsWith(launch) && text.includes(says));
    }
}

/** Target and configuration of each session, by its launch's name. */
async function joined(home) {
    const list = await sessions(home);
    return Object.fromEntries(list.map(({ name, target, configFile }) => [name, [target, configFile?.slice(home.workspace.length + 1)]]));
}

/** Ends all of a compound, which has `stopAll`. */
async function stopAll(window, home) {
    await window.press("Shift+F5");
    await over(window);
    await nothingLeft(home);
}

function oneFolder(home) {
    for (const name of ["shop", "second"]) home.sandbox(name);
    home.write(".mirrord/shop.mirrord.json", inTarget("sandbox/shop"));
    home.write(".mirrord/second.mirrord.json", inTarget("sandbox/second"));
    place(home, "python", "node");
    const named = (file) => ({ env: { MIRRORD_CONFIG_FILE: `\${workspaceFolder}/.mirrord/${file}.mirrord.json` } });
    configure(
        home,
        [
            { name: "python", request: "launch", ...languages.python.launch, ...named("shop") },
            { name: "node", request: "launch", ...languages.node.launch, ...named("second") },
        ],
        [{ name: "both", configurations: ["python", "node"], stopAll: true }],
    );
}

editing("each member of a compound has the session that its own configuration asks for", oneFolder, async ({ home, server, window }) => {
    await switchOn(window);
    const begun = Date.now();
    await startDebugging(window, "both");
    await run(server, begun, { python: "shop-shop", node: "shop-second" });
    assert.deepEqual(await joined(home), {
        python: ["sandbox/shop", ".mirrord/shop.mirrord.json"],
        node: ["sandbox/second", ".mirrord/second.mirrord.json"],
    });
    await says(window, "(2)");
    await stopAll(window, home);
});

function twoFolders(home) {
    for (const name of ["shop", "second", "third"]) home.sandbox(name);
    place(folder(home, "one"), "python");
    place(folder(home, "two"), "node");
    // One folder has its default by the setting, the other by the file's name.
    home.write("one/conf/shop.json", inTarget("sandbox/shop"));
    home.write("one/.vscode/settings.json", { "mirrord.defaultConfig": "${workspaceFolder}/conf/shop.json" });
    home.write("two/.mirrord/mirrord.json", inTarget("sandbox/second"));
    home.write("two/.mirrord/third.mirrord.json", inTarget("sandbox/third"));
    const members = [
        { name: "python", folder: "one" },
        { name: "node", folder: "two" },
    ];
    home.write("all.code-workspace", {
        folders: [{ path: "one" }, { path: "two" }],
        launch: { version: "0.2.0", configurations: [], compounds: [{ name: "both", configurations: members, stopAll: true }] },
    });
    return join(home.workspace, "all.code-workspace");
}

editing("each folder of a workspace has its own configuration", twoFolders, async ({ home, server, window, step }) => {
    await switchOn(window);

    await step("the status item says the target of the open file's folder", async () => {
        await openFile(window, "app.py");
        await says(window, /sandbox\/shop$/);
        await openFile(window, "app.js");
        await says(window, /sandbox\/second$/);
    });

    await step("a compound over folders runs each member by its folder's default", async () => {
        const begun = Date.now();
        await startDebugging(window, "both");
        await run(server, begun, { python: "shop-shop", node: "shop-second" });
        assert.deepEqual(await joined(home), {
            python: ["sandbox/shop", "one/conf/shop.json"],
            node: ["sandbox/second", "two/.mirrord/mirrord.json"],
        });
        await stopAll(window, home);
    });

    await step("another active configuration counts for its folder only", async () => {
        await command(window, "mirrord: Select the active configuration");
        await choose(window, "two");
        await picker(window, "Active configuration");
        await choose(window, ".mirrord/third.mirrord.json");
        await says(window, /sandbox\/third$/);
        await openFile(window, "app.py");
        await says(window, /sandbox\/shop$/);
        const begun = Date.now();
        await startDebugging(window, "both");
        await run(server, begun, { python: "shop-shop", node: "shop-third" });
        await stopAll(window, home);
    });

    await step("what another program writes into a configuration is seen", async () => {
        await openFile(window, "app.js");
        await says(window, /sandbox\/third$/);
        home.write("two/.mirrord/third.mirrord.json", inTarget("sandbox/elsewhere"));
        await says(window, /sandbox\/elsewhere$/);
    });
});
