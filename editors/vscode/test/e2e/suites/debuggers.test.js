// The whole path, with each debugger: switched on, a target picked, and at a breakpoint the pod's
// variable, file, service and client are seen in the debuggee.

import assert from "node:assert/strict";
import { editing } from "../lib/editing.js";
import { breakpoint, goOn, over, stop, stopped, variable } from "../lib/debug.js";
import { chooseTarget, says, switchOn } from "../lib/mirrord.js";
import { openFile, startDebugging } from "../lib/palette.js";
import { askUntilStolen, nothingLeft, seen } from "../lib/pod.js";
import { languages, marked, place } from "../lib/programs.js";
import { PATIENCE } from "../lib/wait.js";

const names = Object.keys(languages);

function prepare(home) {
    home.sandbox();
    home.write(".mirrord/mirrord.json", { feature: { network: { incoming: "steal" } } });
    place(home, ...names);
}

editing("a debuggee sees the pod", prepare, async ({ home, window, step }) => {
    await switchOn(window);
    for (const name of names) {
        await step(name, async () => {
            await breakpoint(window, languages[name].file, marked(name, "request"));
            await startDebugging(window, name);
            await chooseTarget(window, name, "sandbox/shop");
            const answer = askUntilStolen(home, "/stolen");
            await stopped(window, 2 * PATIENCE);
            for (const [what, value] of Object.entries({ ...seen, path: "/stolen" })) {
                assert.ok((await variable(window, what)).includes(value), `${what} is ${await variable(window, what)}`);
            }
            await window.picture(`debugging-${name}`);
            await goOn(window);
            assert.equal(await answer, `local ${name} /stolen\n`);
            await over(window);
            await nothingLeft(home);
            await says(window, /mirrord: on$/);
        });
        await step(`${name}: Stop at a breakpoint leaves nothing, not even the client's request`, async () => {
            const { file } = languages[name];
            await openFile(window, file, marked(name, "request"));
            await startDebugging(window, name);
            await chooseTarget(window, name, "sandbox/shop");
            const answer = askUntilStolen(home, "/stopped");
            await stopped(window, 2 * PATIENCE);
            await stop(window);
            await nothingLeft(home);
            // The program that had taken it is gone: the connection ends without an answer.
            await assert.rejects(answer);
        });
    }
});
