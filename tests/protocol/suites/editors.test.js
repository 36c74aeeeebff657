// What editors show of launches: the target that was picked, and what the user is told once.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Client } from "../lib/client.js";
import { launch, python } from "../lib/debuggee.js";
import { Home } from "../lib/home.js";

async function editing(home, body) {
    try {
        const client = Client.stdio(home);
        await client.initialize(home);
        await body(client);
        client.ignore("mirrord/status", "mirrord/session/changed", "mirrord/session/event");
        await client.end();
    } finally {
        await home.end();
    }
}

test("a picked target is an edit of the file, or of its open text", { timeout: 60_000 }, async () => {
    const home = new Home();
    await editing(home, async (client) => {
        const uri = home.write(".mirrord/mirrord.yaml", "# mine\ntarget: pod/old\n");
        const edited = async () => {
            const { edit } = await client.request("mirrord/config/setTarget", { uri, target: "sandbox/shop" });
            const [{ textDocument, edits }] = edit.documentChanges;
            return [textDocument.version ?? null, edits[0].range.start.line, edits.map(({ newText }) => newText)];
        };
        assert.deepEqual(await edited(), [null, 1, ["sandbox/shop"]]);
        const text = "# mine\n# more\ntarget: pod/other\n";
        await client.notify("textDocument/didOpen", { textDocument: { uri, languageId: "yaml", version: 4, text } });
        assert.deepEqual(await edited(), [4, 2, ["sandbox/shop"]]);
        const wrong = await client.failing("mirrord/config/setTarget", { uri, target: "sandbos/shop" });
        assert.equal(wrong.data.kind, "invalidParams");
        client.ignore("textDocument/publishDiagnostics");
    });
});

test("why attaching is left alone is said once, and not at all when it is muted", { timeout: 60_000 }, async () => {
    const home = new Home();
    await editing(home, async (client) => {
        const raw = { type: "node", request: "attach", name: "app", port: 9229 };
        const params = launch(home, [python], { target: "sandbox/none" });
        const attach = (name) => client.request("mirrord/launch/prepare", { ...params, launch: { ...params.launch, name, raw } });
        assert.equal((await attach("app")).decision, "skip");
        await client.expect("mirrord/notify", { id: "launch.attach" });
        // Looked at by the client's end: a second one would fail it.
        assert.equal((await attach("app")).decision, "skip");
        await client.request("mirrord/notify/mute", { id: "launch.attach", muted: true });
        assert.equal((await attach("other")).decision, "skip");
    });
});
