// What the extension costs, measured in one window: its activation, and a launch to the program's first
// line on an agent that is warm, beside the same launch without it. `node run.js --vsix FILE figures`
// prints the medians; a release build behind MIRRORD_TEST_BIN is what users have.

import { editing } from "./lib/editing.js";
import { says, switchOn } from "./lib/mirrord.js";
import { command, startDebugging } from "./lib/palette.js";
import { sessions } from "./lib/pod.js";
import { place } from "./lib/programs.js";
import { until } from "./lib/wait.js";

const RUNS = 7;

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

function prepare(home) {
    home.sandbox();
    home.write(".mirrord/mirrord.json", { target: "sandbox/shop", feature: { network: { incoming: "steal" } } });
    place(home, "python");
}

editing("figures", prepare, async ({ home, server, window }) => {
    const recorded = (what, since) => server.recorded().find((one) => one.what === what && one.at >= since);
    /** One launch, from the key to the first line, in ms. */
    const launch = async (start) => {
        const began = Date.now();
        await start();
        const line = await until("the first line", () =>
            server.recorded().find(({ what, at, text }) => what === "output" && at >= began && text?.startsWith("started")));
        await until("the session's start", () => recorded("started", began));
        await window.press("Shift+F5");
        await until("the end", () => recorded("ended", line.at));
        await until("the end of the session", async () => (await sessions(home)).length === 0);
        return line.at - began;
    };
    const series = async () => {
        const took = [];
        for (let run = 0; run < RUNS; run += 1) took.push(await launch(() => window.press("F5")));
        return median(took);
    };
    // The palette's way chooses the configuration, which F5 takes from then on.
    await launch(() => startDebugging(window, "python"));
    const plain = await series();
    await switchOn(window);
    await launch(() => window.press("F5"));
    const warm = await series();
    await command(window, "mirrord: Switch mirrord on or off for launches");
    await says(window, "mirrord: off");
    await command(window, "Developer: Show Running Extensions");
    const row = window.page.locator(".runtime-extensions-editor .monaco-list-row").filter({ hasText: "mirrord" }).first();
    const activation = (await row.innerText()).match(/Activation: (\d+)ms/);
    console.log(`# activation ${activation?.[1] ?? "not told"} ms`);
    console.log(`# to the first line: ${plain} ms plain, ${warm} ms with mirrord on a warm agent`);
});
