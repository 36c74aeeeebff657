// Configurations as documents: what is wrong, what could be written, and what it means.

import assert from "node:assert/strict";
import { editing } from "../lib/editing.js";
import { openFile } from "../lib/palette.js";

const mistaken = '{\n    "target": "sandbox/shop",\n    "feature": { "fs": { "mode": "raed" } }\n}\n';

function prepare(home) {
    home.sandbox();
    home.write(".mirrord/mirrord.json", mistaken);
}

editing("a configuration is checked, completed and explained", prepare, async ({ window, step }) => {
    const { page } = window;
    const open = () => openFile(window, ".mirrord/mirrord.json", 3);

    await step("a mistake is underlined, and told by the server", async () => {
        await open();
        await page.locator(".squiggly-error").first().waitFor();
        await window.press("F8");
        await page.locator(".marker-widget").filter({ hasText: "did you mean `read`?" }).waitFor();
        // VS Code's own JSON service says it too, until the server is there.
        await page.getByText("1 of 1 problem").waitFor();
        await window.press("Escape");
    });

    await step("values are offered where they can be", async () => {
        await open();
        // Into the mistaken word, from the line's end.
        await window.press("End");
        for (let left = 0; left < 5; left += 1) await window.press("ArrowLeft");
        for (let left = 0; left < 4; left += 1) await window.press("Backspace");
        await window.press("Control+Space");
        const label = (text) => page.locator(".suggest-widget.visible .label-name").filter({ hasText: text }).first();
        await label(/^localwithoverrides$/).waitFor();
        assert.equal(await page.locator(".suggest-widget.visible .label-name").filter({ hasText: /^"?read"?$/ }).count(), 1);
        await label(/^read$/).click();
        await page.locator(".squiggly-error").first().waitFor({ state: "detached" });
        await page.locator(".view-line").filter({ hasText: '"mode":' }).filter({ hasText: "read" }).waitFor();
    });

    await step("a key is explained", async () => {
        await openFile(window, ".mirrord/mirrord.json", 2);
        await window.press("Home");
        for (let right = 0; right < 3; right += 1) await window.press("ArrowRight");
        await window.press("Control+K");
        await window.press("Control+I");
        await page.locator(".monaco-hover:visible").filter({ hasText: "target" }).first().waitFor();
    });
});
