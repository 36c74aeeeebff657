// Progress with Cancel. A session on a warm agent is there before anybody could read a notification,
// so the notification comes only when it takes longer, and not while the user is asked something (Escape
// cancels there); until then the status bar turns.

import { type CancellationToken, CancellationTokenSource, ProgressLocation, window } from "vscode";

const QUICK_MS = 600;
const LOOK_MS = 100;

export type Step = (message: string) => void;

/** Does `work`, whose token is cancelled by Cancel and by `outer`. `asks`: the user is being asked. */
export async function withProgress<T>(
    title: string,
    outer: CancellationToken | undefined,
    asks: () => boolean,
    work: (step: Step, token: CancellationToken) => Promise<T>,
): Promise<T> {
    const source = new CancellationTokenSource();
    const following = outer?.onCancellationRequested(() => source.cancel());
    if (outer?.isCancellationRequested) source.cancel();
    let last = "";
    let show: Step = () => undefined;
    const done = work((message) => show((last = message)), source.token);
    const over = done.then(
        () => undefined,
        () => undefined,
    );
    let quiet = 0;
    const timer = setInterval(() => {
        quiet = asks() ? 0 : quiet + LOOK_MS;
        if (quiet < QUICK_MS) return;
        clearInterval(timer);
        void window.withProgress({ location: ProgressLocation.Notification, title, cancellable: true }, (progress, token) => {
            show = (message) => progress.report({ message });
            show(last);
            token.onCancellationRequested(() => source.cancel());
            return over;
        });
    }, LOOK_MS);
    void window.withProgress({ location: ProgressLocation.Window, title }, () => over);
    try {
        return await done;
    } finally {
        clearInterval(timer);
        following?.dispose();
        source.dispose();
    }
}
