// The command palette and other quick inputs.

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

/** Runs the command with this title. */
export async function command(window, title) {
    await open(window, `>${title}`);
    await row(window, title).click();
}

/** Opens a file of the workspace, at a line. */
export async function openFile(window, name, line) {
    await open(window, name);
    await row(window, name.split("/").pop()).click();
    await window.page.locator(`.tab.active[data-resource-name="${name.split("/").pop()}"]`).waitFor();
    if (line) await goTo(window, line);
}

/** Puts the cursor on a line of the active editor. */
export async function goTo(window, line) {
    await open(window, `:${line}`);
    await window.page.locator(`${ROWS}:visible`).filter({ hasText: `line ${line} ` }).first().click();
    await window.page.locator(".statusbar-item").filter({ hasText: new RegExp(`Ln ${line},`) }).waitFor();
}

/** Starts a launch configuration by its name, as `debug NAME` in the palette. */
export async function startDebugging(window, name) {
    await open(window, `debug ${name}`);
    await row(window, name).click();
}

/** Waits for a picker whose title has this text. */
export async function picker(window, title) {
    await window.page.locator(".quick-input-titlebar:visible, .quick-input-widget:visible").filter({ hasText: title }).first().waitFor();
}

/** Chooses the row that begins with `label`. */
export async function choose(window, label) {
    await row(window, label).click();
}

/** Types into the quick input that is open. */
export async function type(window, text) {
    await window.page.locator(INPUT).first().fill(text);
}
