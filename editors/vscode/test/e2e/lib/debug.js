// Breakpoints, stops and what a stopped program shows.

import { openFile } from "./palette.js";
import { until } from "./wait.js";

const STOPPED = ".debug-top-stack-frame-line";

/** Sets a breakpoint on a line of a file. */
export async function breakpoint(window, file, line) {
    await openFile(window, file, line);
    await window.press("F9");
    await window.page.locator("[class*=codicon-debug-breakpoint]").first().waitFor();
}

/** Waits until the debuggee stands still, with its line shown. */
export async function stopped(window, patience) {
    await window.page.locator(STOPPED).first().waitFor({ timeout: patience });
}

/** The value of a variable of the innermost scope, as the view *Variables* shows it. */
export async function variable(window, name) {
    const rows = window.page.locator(".debug-variables .monaco-list-row");
    const row = rows.filter({ has: window.page.locator(".name", { hasText: new RegExp(`^${name}\\s*[:=]?\\s*$`) }) }).first();
    const scope = rows.first();
    await until(`the variable ${name}`, async () => {
        if (await row.isVisible()) return true;
        // Some debuggers have their scopes folded.
        if ((await scope.getAttribute("aria-expanded")) === "false") await scope.click();
        return false;
    });
    return row.locator(".value").innerText();
}

/** Lets the debuggee go on. */
export async function goOn(window) {
    await window.press("F5");
}

/**
 * Restarts the debuggee as the toolbar's button does, and waits until another debug session stands still:
 * until then the first one's line is still shown, and F5 would start a launch beside it.
 */
export async function restart(window) {
    const before = count(window, "started");
    await window.press("Control+Shift+F5");
    await until("another debug session", () => count(window, "started") > before && count(window, "ended") === before);
    await stopped(window);
}

/** Ends the debug session as the toolbar's button does. */
export async function stop(window) {
    await window.press("Shift+F5");
    await over(window);
}

/** Waits until every debug session that began has ended. */
export function over(window) {
    return until("the end of the debug sessions", () => count(window, "started") > 0 && count(window, "started") === count(window, "ended"));
}

/** How many debug sessions have `started` or `ended` so far. */
function count(window, wanted) {
    return window.server.recorded().filter(({ what }) => what === wanted).length;
}
