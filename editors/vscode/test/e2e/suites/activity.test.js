// The activity panel: what a program does is seen with the rule that decided, and a rule is changed
// with a click.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { breakpoint, goOn, over, stopped } from "../lib/debug.js";
import { editing } from "../lib/editing.js";
import { switchOn } from "../lib/mirrord.js";
import { answer } from "../lib/notifications.js";
import { command, startDebugging } from "../lib/palette.js";
import { askUntilStolen, nothingLeft } from "../lib/pod.js";
import { marked, place } from "../lib/programs.js";
import { PATIENCE, until } from "../lib/wait.js";

const file = "/data/hello.txt";

function prepare(home) {
    home.sandbox();
    home.write(".mirrord/mirrord.json", { target: "sandbox/shop", feature: { network: { incoming: "steal" } } });
    place(home, "python");
}

editing("activity is shown as it happens", prepare, async ({ home, window, step }) => {
    const page = window.page.frameLocator("iframe.webview.ready").frameLocator("iframe#active-frame");
    const row = (text) => page.locator("#rows tr").filter({ hasText: text }).first();
    const config = () => readFileSync(join(home.workspace, ".mirrord/mirrord.json"), "utf8");
    await switchOn(window);
    await breakpoint(window, "app.py", marked("python", "request"));
    await startDebugging(window, "python");
    const reply = askUntilStolen(home, "/seen");
    await stopped(window, 2 * PATIENCE);
    await command(window, "mirrord: Show activity");

    await step("files, connections and requests are there", async () => {
        await row(file).filter({ hasText: "remote" }).waitFor();
        await row("10.77.2.2:80").filter({ hasText: "network.outgoing" }).waitFor();
        await row("port 8080 from").filter({ hasText: "stolen" }).waitFor();
        await window.picture("activity");
    });

    await step("a search shows what it finds only", async () => {
        await page.locator("#search").fill("hello");
        await row("port 8080 from").waitFor({ state: "detached" });
        await row(file).waitFor();
        await page.locator("#search").fill("");
    });

    await step("a rule is changed for the session, and kept when that is wanted", async () => {
        assert.ok(!config().includes(file), config());
        await row(file).hover();
        await row(file).getByRole("button", { name: "local", exact: true }).click();
        await answer(window, `From now on ${file} is local`, "Keep it in the configuration");
        await until("the configuration's new rule", () => config().includes("hello"));
    });

    await goOn(window);
    assert.equal(await reply, "local python /seen\n");
    await over(window);
    await nothingLeft(home);
});
