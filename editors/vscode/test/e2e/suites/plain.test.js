// Each debugger without the product: what the other tests stand on. A fault here is none of ours.

import { editing } from "../lib/editing.js";
import { breakpoint, stop, stopped } from "../lib/debug.js";
import { startDebugging } from "../lib/palette.js";
import { languages, marked, place } from "../lib/programs.js";
import { PATIENCE } from "../lib/wait.js";

const names = Object.keys(languages);

editing("the debuggers stop without the product", (home) => place(home, ...names), async ({ window, step }) => {
    for (const name of names) {
        await step(name, async () => {
            await breakpoint(window, languages[name].file, marked(name, "first"));
            await startDebugging(window, name);
            await stopped(window, 2 * PATIENCE);
            await stop(window);
        });
    }
});
