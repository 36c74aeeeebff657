// The command palette and other quick inputs.

import { PATIENCE, until } from "./wait.js";

const INPUT = ".quick-input-widget input.input";
const ROWS = ".quick-input-list .monaco-list-row";

const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** The row that begins with `label`, which must be there. */
export const row = (window, label) =>
    window.page.locator(`${ROWS}:visible`).filter({ hasText: new RegExp(`^\\s*${escaped(label)}`) }).first();

async function open(window, text) {
    const input = window.page.locator(INPUT).first();
    await window.press("F1");
    await input.waitFor({ state: "visible" });
    await input.fill(text);
}

/** Asks for `text` and takes the row; again when something else took the focus, which closes the list. */
async function take(window, text, found) {
    await until(`a row for ${text}`, async () => {
        await open(window, text);
        return found.click({ timeout: PATIENCE / 6 }).then(() => true, () => false);
    });
}

/** Runs the command with this title. */
export function command(window, title) {
    return take(window, `>${title}`, row(window, title));
}

/** Opens a file of the workspace, at a line. */
export async function openFile(window, name, line) {
    const file = name.split("/").pop();
    await take(window, name, row(window, file));
    await window.page.locator(`.tab.active[data-resource-name="${file}"]`).waitFor();
    if (line) await goTo(window, line);
}

/** Puts the cursor on a line of the active editor. */
export async function goTo(window, line) {
    await take(window, `:${line}`, window.page.locator(`${ROWS}:visible`).filter({ hasText: `line ${line} ` }).first());
    await window.page.locator(".statusbar-item").filter({ hasText: new RegExp(`Ln ${line},`) }).waitFor();
}

/** Starts a launch configuration by its name, as `debug NAME` in the palette. */
export function startDebugging(window, name) {
    return take(window, `debug ${name}`, row(window, name));
}

/** Waits for a picker whose title has this text. */
export async function picker(window, title) {
    await window.page.locator(".quick-input-titlebar:visible, .quick-input-widget:visible").filter({ hasText: title }).first().waitFor();
}

/** Finds the row that begins with `label` by typing it, and chooses it. */
export async function choose(window, label) {
    await window.page.locator(INPUT).first().fill(label);
    await row(window, label).click();
}
