// Where the things lie that `run.js` installed and built; it tells us by these variables.

import { createRequire } from "node:module";
import { join } from "node:path";

function told(name) {
    const value = process.env[name];
    if (!value) throw new Error(`${name} is not set; start the tests with run.js`);
    return value;
}

const tools = told("MIRRORD_E2E_TOOLS");

/** The folder with the installed extensions: the product's and the test adapters. */
export const extensions = told("MIRRORD_E2E_EXTENSIONS");

/** What starts code-server. */
export const codeServer = join(tools, "node_modules", "code-server", "out", "node", "entry.js");

export const { chromium } = createRequire(join(tools, "package.json"))("playwright-core");

/** Pictures of failed tests. */
export const failures = told("MIRRORD_E2E_FAILURES");

/** Where pictures for the README go, when they are wanted. */
export const media = process.env.MIRRORD_E2E_MEDIA;
