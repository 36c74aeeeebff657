// What becomes of a launch that is cancelled, cannot be prepared, or is started again.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { breakpoint, goOn, restart, stop, stopped, variable } from "../lib/debug.js";
import { decide, dialog } from "../lib/dialog.js";
import { editing } from "../lib/editing.js";
import { switchOn } from "../lib/mirrord.js";
import { answer, notification } from "../lib/notifications.js";
import { startDebugging } from "../lib/palette.js";
import { nothingLeft, seen, sessions } from "../lib/pod.js";
import { marked, place } from "../lib/programs.js";
import { until } from "../lib/wait.js";

/** An API server that takes connections and never answers. */
async function silentCluster(home) {
    const taken = new Set();
    const server = createServer((socket) => taken.add(socket.on("error", () => {}))).listen(0, "127.0.0.1");
    await once(server, "listening");
    home.write("kubeconfig", {
        apiVersion: "v1",
        kind: "Config",
        clusters: [{ name: "silent", cluster: { server: `http://127.0.0.1:${server.address().port}` } }],
        users: [{ name: "nobody", user: {} }],
        contexts: [{ name: "silent", context: { cluster: "silent", user: "nobody" } }],
        "current-context": "silent",
    });
    return {
        asked: () => taken.size > 0,
        stop() {
            taken.forEach((socket) => socket.destroy());
            server.close();
        },
    };
}

/** Debug sessions that VS Code began. */
const began = (server) => server.recorded().filter(({ what }) => what === "started").length;

const target = (home, path) => home.write(".mirrord/mirrord.json", { target: path });

editing("launches end well", (home) => place(home, "python"), async ({ home, server, window, step }) => {
    await switchOn(window);
    await breakpoint(window, "app.py", marked("python", "first"));

    await step("Cancel during preparation leaves nothing", async () => {
        const cluster = await silentCluster(home);
        try {
            home.write(".mirrord/mirrord.json", {
                target: "deployment/web",
                kube_context: "silent",
                kubeconfig: `${home.workspace}/kubeconfig`,
            });
            await startDebugging(window, "python");
            await notification(window, "mirrord: python");
            await until("a question to the cluster", cluster.asked);
            await window.page.locator(".notification-toast.notification-fade-in-done").first().waitFor();
            await window.picture("preparing");
            await answer(window, "mirrord: python", "Cancel");
            await window.page.locator(".notification-toast").filter({ hasText: "mirrord: python" }).waitFor({ state: "detached" });
            assert.deepEqual(await sessions(home), []);
            assert.equal(began(server), 0, "nothing was run");
        } finally {
            cluster.stop();
        }
    });

    await step("a target that is gone is told, and nothing is run", async () => {
        target(home, "sandbox/shop");
        await startDebugging(window, "python");
        await dialog(window, "mirrord could not prepare this launch");
        await window.picture("target-gone");
        await decide(window, "mirrord could not prepare this launch", "Cancel");
        assert.deepEqual(await sessions(home), []);
        assert.equal(began(server), 0, "nothing was run");
    });

    await step("without mirrord is run only what the user wants to run so", async () => {
        await startDebugging(window, "python");
        await decide(window, "mirrord could not prepare this launch", "Run without mirrord");
        await stopped(window);
        assert.deepEqual(await sessions(home), []);
        await stop(window);
    });

    await step("Restart prepares again, on the agent that is there", async () => {
        home.sandbox();
        await breakpoint(window, "app.py", marked("python", "order"));
        await startDebugging(window, "python");
        await stopped(window);
        await goOn(window);
        assert.match(await variable(window, "name"), new RegExp(seen.name));
        const [first] = await sessions(home);
        await restart(window);
        const second = await until("another session", async () => (await sessions(home)).find(({ id }) => id !== first.id));
        await goOn(window);
        await until("the second run's variable", async () => (await variable(window, "name")).includes(seen.name));
        assert.equal(second.target, "sandbox/shop");
        await stop(window);
        await nothingLeft(home);
    });
});
