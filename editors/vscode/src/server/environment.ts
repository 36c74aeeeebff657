// The environment that cluster access uses: the one of the machine where the extension runs, without
// what the editor puts there for itself.

const EDITORS = /^(VSCODE_|ELECTRON_|CHROME_|APPLICATION_INSIGHTS|GDK_PIXBUF_MODULE|LD_PRELOAD$|MIRRORD_(SUPERVISOR|LAUNCH_TOKEN)$)/;

export function ownEnvironment(env: NodeJS.ProcessEnv): Record<string, string> {
    const kept = Object.entries(env).filter(
        (entry): entry is [string, string] => entry[1] !== undefined && !EDITORS.test(entry[0]),
    );
    return Object.fromEntries(kept);
}
