// Recorded conversations: each file of `conversations/` is a list of steps, the same for every
// client in any language, spoken here over stdio, over the daemon's socket, and to a server
// without a daemon.

import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { Client } from "../lib/client.js";
import { converse } from "../lib/conversation.js";
import { Home } from "../lib/home.js";

const folder = new URL("../conversations/", import.meta.url);

const ways = {
    "over stdio": async (home) => ({ client: Client.stdio(home) }),
    "over the socket": async (home) => {
        const first = Client.stdio(home);
        await first.initialize(home);
        return { client: await Client.socket(home), first };
    },
    "without a daemon": async (home) => ({ client: Client.stdio(home, "--no-daemon") }),
};

for (const name of readdirSync(folder).filter((name) => name.endsWith(".json")).sort()) {
    const conversation = JSON.parse(readFileSync(new URL(name, folder), "utf8"));
    for (const [way, open] of Object.entries(ways)) {
        test(`${conversation.about} (${way})`, { timeout: 120_000 }, async () => {
            const home = new Home(conversation.files);
            try {
                const { client, first } = await open(home);
                await converse(client, home, conversation);
                if (first) {
                    first.ignore("mirrord/status", "mirrord/config/activeChanged", "mirrord/session/changed");
                    await first.end();
                }
            } finally {
                await home.end();
            }
        });
    }
}
