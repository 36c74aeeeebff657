// Two bundles: what activation needs, and the language client, which is loaded when the server is
// first wanted. `--tests` bundles the unit tests instead, which run without VS Code.

import { build } from "esbuild";
import { readdirSync } from "node:fs";
import "./scripts/types.mjs";

const common = { bundle: true, platform: "node", format: "cjs", target: "node20", logLevel: "warning" };

if (process.argv.includes("--tests")) {
    const tests = readdirSync("test/unit").filter((name) => name.endsWith(".test.ts"));
    await build({ ...common, entryPoints: tests.map((name) => `test/unit/${name}`), outdir: "out/unit", external: ["vscode", "esbuild"] });
} else {
    const product = { ...common, outdir: "dist", external: ["vscode", "./client.js"], minify: true, sourcemap: true };
    await build({ ...product, entryPoints: ["src/extension.ts"] });
    await build({ ...product, entryPoints: { client: "src/server/client.ts" }, external: ["vscode"] });
    await build({ ...product, entryPoints: { activity: "media/activity.ts" }, platform: "browser", format: "iife", target: "es2022" });
}
