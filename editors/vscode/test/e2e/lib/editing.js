// A test in VS Code: a user of its own, a server and a browser, all of which end with it. What is left
// running fails the test; of a failed one there is a picture.

import { test } from "node:test";
import { Home } from "../../../../../tests/protocol/lib/home.js";
import { Browser } from "./window.js";
import { CodeServer } from "./code-server.js";

/** Far more than any of them takes; a Go program is built from nothing in one. */
const LIMIT = 600_000;

/**
 * Defines a test. `prepare(home)` fills the workspace before the window opens, and may return a workspace
 * file to open instead of the folder; `body({home, server, browser, window, step})` is the test, and
 * `step(what, body)` a part of it that is counted for itself: when one fails, the later ones run.
 */
export function editing(what, prepare, body, options = {}) {
    test(what, { timeout: LIMIT, ...options }, async (context) => {
        const home = new Home();
        const ends = [() => home.end()];
        let failure;
        let explain = async () => {};
        try {
            const place = (await prepare(home)) ?? home.workspace;
            const server = await CodeServer.start(home);
            ends.unshift(() => server.stop());
            const browser = await Browser.start();
            ends.unshift(() => browser.stop());
            explain = (part) => told(`${what} ${part}`, server, browser);
            const window = await browser.open(server, place);
            const step = async (part, work) => {
                await context.test(part, () => explained(part, explain, work));
                // Of one that failed: a question that is still asked.
                await window.press("Escape");
            };
            await explained("", explain, () => body({ home, server, browser, window, step }));
        } catch (error) {
            failure = error;
        }
        for (const end of ends) await end().catch((error) => (failure ??= error));
        if (failure) throw failure;
    });
}

async function explained(part, explain, work) {
    try {
        await work();
    } catch (error) {
        await explain(part).catch((trouble) => console.error(`no picture: ${trouble.message}`));
        throw error;
    }
}

/** What was to be seen, and what was said, when a test failed. */
async function told(name, server, browser) {
    console.error(server.printed.split("\n").slice(-20).join("\n"), server.recorded().slice(-20));
    await browser.photograph(name);
}
