// The product's own things in the window.

import { choose, command, picker } from "./palette.js";

/** The status item. */
export const status = (window) => window.page.locator('.statusbar-item[id$="mirrord.status"]');

/** Waits until the status item says this. */
export async function says(window, text) {
    await status(window).filter({ hasText: text }).waitFor();
}

/** Switches it on for all launches. */
export async function switchOn(window) {
    await says(window, "mirrord: off");
    await command(window, "mirrord: Switch mirrord on or off for launches");
    // With a target in the configuration it says that.
    await says(window, /mirrord: (?!off)/);
}

/** Chooses the target for a launch that waits for one. */
export async function chooseTarget(window, launch, target) {
    await picker(window, `Run ${launch} in`);
    await choose(window, target);
}
