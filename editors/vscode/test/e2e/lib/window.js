// A window of VS Code in a headless browser: what a user sees and presses.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { chromium, failures, media } from "./places.js";
import { PATIENCE, until } from "./wait.js";

const SIZE = { width: 1400, height: 900 };

export class Browser {
    static async start() {
        const browser = new Browser();
        browser.chromium = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
        // One profile, as one user has.
        browser.context = await browser.chromium.newContext({ viewport: SIZE });
        browser.context.setDefaultTimeout(PATIENCE);
        return browser;
    }

    /** A window on a folder or a workspace file, when its workbench is there. */
    async open(server, place) {
        const page = await this.context.newPage();
        const window = new Window(page, server);
        const what = place.endsWith(".code-workspace") ? "workspace" : "folder";
        await window.ready(() => page.goto(`${server.url}/?${what}=${encodeURIComponent(place)}`, { waitUntil: "commit" }));
        return window;
    }

    /** Pictures of all windows, of a test that failed. */
    async photograph(name) {
        mkdirSync(failures, { recursive: true });
        for (const [index, page] of this.context.pages().entries()) {
            await page.screenshot({ path: join(failures, `${name.replace(/\W+/g, "-")}-${index}.png`) });
        }
    }

    async stop() {
        await this.chromium.close();
    }
}

export class Window {
    constructor(page, server) {
        this.page = page;
        this.server = server;
    }

    /** Loads it, and waits for the workbench and until the extension host knows all extensions. */
    async ready(load) {
        const hosts = () => this.server.recorded().filter(({ what }) => what === "ready").length;
        const before = hosts();
        await load();
        await this.page.locator(".monaco-workbench .part.sidebar").waitFor();
        await until("the extension host", () => hosts() > before);
    }

    reload() {
        return this.ready(() => this.page.reload({ waitUntil: "commit" }));
    }

    press(key) {
        return this.page.keyboard.press(key);
    }

    /** A picture for the README, when those are wanted. */
    async picture(name) {
        if (media) await this.page.screenshot({ path: join(media, `${name}.png`) });
    }

    async close() {
        await this.page.close();
    }
}
