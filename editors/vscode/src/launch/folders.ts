// Where the editor, and the extension that brings a debugger, are installed: the debuggee reads files of
// theirs (js-debug's bootloader, debugpy), which are this machine's wherever they lie.

import { env, extensions } from "vscode";

type Manifest = { contributes?: { debuggers?: { type: string }[] } };

const debuggersOf = (manifest: unknown): string[] => ((manifest as Manifest).contributes?.debuggers ?? []).map(({ type }) => type);

/** Debug types that an installed extension serves. */
export const debugTypes = (): string[] => extensions.all.flatMap((one) => debuggersOf(one.packageJSON));

export function debuggerFolders(type: string): string[] {
    const owners = extensions.all.filter((one) => debuggersOf(one.packageJSON).includes(type));
    return [env.appRoot, ...owners.map((one) => one.extensionPath)];
}
