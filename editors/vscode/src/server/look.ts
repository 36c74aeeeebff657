// Looks at this machine for `findServer`.

import { execFile } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";

const PATIENCE_MS = 5000;

export function isExecutable(file: string): boolean {
    try {
        accessSync(file, constants.X_OK);
        return statSync(file).isFile();
    } catch {
        return false;
    }
}

/** `mirrord-server 0.1.0` → `0.1.0`. */
export function versionOf(file: string): Promise<string | undefined> {
    return new Promise((resolve) => {
        execFile(file, ["--version"], { timeout: PATIENCE_MS }, (error, stdout) => {
            resolve(error ? undefined : stdout.trim().split(" ").at(-1));
        });
    });
}
