// Windows that are loaded again, and several of them: sessions belong to the user, not to a window.

import assert from "node:assert/strict";
import { join } from "node:path";
import { breakpoint, stopped } from "../lib/debug.js";
import { editing } from "../lib/editing.js";
import { says, switchOn } from "../lib/mirrord.js";
import { startDebugging } from "../lib/palette.js";
import { nothingLeft, sessions } from "../lib/pod.js";
import { marked, place } from "../lib/programs.js";
import { until } from "../lib/wait.js";

const stealing = { target: "sandbox/shop", feature: { network: { incoming: "steal" } } };

function prepare(home) {
    home.sandbox();
    home.write(".mirrord/mirrord.json", stealing);
    place(home, "python");
}

editing("a reload of the window leaves nothing behind, and the next run is right", prepare, async ({ home, window }) => {
    await switchOn(window);
    await breakpoint(window, "app.py", marked("python", "order"));
    await startDebugging(window, "python");
    await stopped(window);
    await until("a session", async () => (await sessions(home)).length === 1);
    await window.reload();
    // The debuggee ends with the debug adapter, which ends with the old extension host.
    await nothingLeft(home);
    await says(window, /sandbox\/shop$/);

    await startDebugging(window, "python");
    await stopped(window);
    await says(window, "(1)");
    await window.press("Shift+F5");
    await nothingLeft(home);
});

editing("two windows see both sessions, and end their own", prepare, async ({ home, server, browser, window }) => {
    const other = { ...home, workspace: join(home.folder, "other"), write: home.write };
    home.must("sandbox", "up", "second");
    other.write(".mirrord/mirrord.json", { ...stealing, target: "sandbox/second" });
    place(other, "node");
    const second = await browser.open(server, other.workspace);
    await switchOn(window);
    await switchOn(second);
    await breakpoint(window, "app.py", marked("python", "order"));
    await breakpoint(second, "app.js", marked("node", "order"));
    await startDebugging(window, "python");
    await stopped(window);
    await startDebugging(second, "node");
    await stopped(second);
    for (const one of [window, second]) await says(one, "(2)");
    const targets = (await sessions(home)).map(({ target }) => target).sort();
    assert.deepEqual(targets, ["sandbox/second", "sandbox/shop"]);
    await second.press("Shift+F5");
    for (const one of [window, second]) await says(one, "(1)");
    const [left] = await sessions(home);
    assert.equal(left.target, "sandbox/shop");
    await window.press("Shift+F5");
    await nothingLeft(home);
});
