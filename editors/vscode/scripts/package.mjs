// `npm run package [-- --product FOLDER] [--out FILE.vsix]`: the extension with the server, layer and
// agent for this platform. Without a folder they are built in their release profile.

import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { product: { type: "string" }, out: { type: "string" } } });
const here = fileURLToPath(new URL("..", import.meta.url));
const root = resolve(here, "../..");
const { version } = JSON.parse(readFileSync(join(here, "package.json"), "utf8"));
const target = `${process.platform}-${process.arch}`;
if (target !== "linux-x64") throw new Error(`mirrord-server is built for Linux x86_64 only, not for ${target}`);

const PROGRAMS = ["mirrord-server", "mirrord-agent"];
const LIBRARIES = ["libmirrord_layer.so"];
const run = (program, args, options) => execFileSync(program, args, { stdio: "inherit", cwd: here, ...options });

function build() {
    const packages = ["mirrord-server", "mirrord-agent", "mirrord-layer"].flatMap((name) => ["-p", name]);
    run("cargo", ["build", "--release", ...packages], { cwd: root });
    return join(process.env.CARGO_TARGET_DIR ?? join(root, "target"), "release");
}

const product = values.product ? resolve(process.env.INIT_CWD ?? here, values.product) : build();
for (const folder of ["server", "schemas", "dist"]) rmSync(join(here, folder), { recursive: true, force: true });
mkdirSync(join(here, "server"));
for (const name of [...PROGRAMS, ...LIBRARIES]) {
    const from = join(product, name);
    if (!existsSync(from)) throw new Error(`${from} is missing: build it, or name another folder with --product`);
    copyFileSync(from, join(here, "server", name));
    chmodSync(join(here, "server", name), 0o755);
    // Debug symbols are most of a debug build's size and of no use here.
    run("strip", ["--strip-debug", join(here, "server", name)]);
}
const said = execFileSync(join(here, "server", "mirrord-server"), ["--version"], { encoding: "utf8" }).trim();
if (!said.endsWith(` ${version}`)) throw new Error(`the server is ${said}, the extension ${version}: they must be the same`);
mkdirSync(join(here, "schemas"));
copyFileSync(join(root, "schemas/mirrord-config.schema.json"), join(here, "schemas/mirrord-config.schema.json"));
run(process.execPath, ["esbuild.mjs"]);
const out = values.out ? resolve(process.env.INIT_CWD ?? here, values.out) : join(here, `mirrord-server-${target}-${version}.vsix`);
// All code is in the bundles.
run(process.execPath, ["node_modules/@vscode/vsce/vsce", "package", "--no-dependencies", "--skip-license", "--target", target, "--out", out]);
console.log(out);
