// The pod of a test and its clients: what the product's sandbox has.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { binary } from "../../../../../tests/protocol/lib/home.js";
import { PATIENCE, until } from "./wait.js";

const run = promisify(execFile);

/** What only the pod has, as the programs find it. */
export const seen = {
    name: "shop-shop",
    text: "hello from a file in the pod",
    order: "pod: orders of shop-shop",
};

/** A request of somebody in the pod's network. Whoever has the port answers. */
export async function ask(home, path) {
    const words = ["sandbox", "exec", "shop", "--", "curl", "-sS", "--max-time", "120", `http://10.77.1.2:8080${path}`];
    const { stdout } = await run(binary, words, { env: home.env });
    return stdout;
}

/** Asks until it is not the pod's own program that answers: the first request that is stolen waits for it. */
export function askUntilStolen(home, path) {
    const answer = until("an answer of the local program", async () => {
        const answer = await ask(home, path);
        return answer.startsWith("local") ? answer : undefined;
    }, 3 * PATIENCE);
    // Of a test that fails before it is awaited.
    answer.catch(() => {});
    return answer;
}

/** Waits until the pod's own program has its port again. */
export function podAnswers(home) {
    return until("the pod's own answer", async () => (await ask(home, "/own")).startsWith("pod: shop-shop"));
}

/** The sessions of this user that are not over. */
export async function sessions(home) {
    const { stdout } = await run(binary, ["session", "list", "--json"], { env: home.env });
    return JSON.parse(stdout).filter(({ warmUntil }) => !warmUntil);
}

/** Waits until no session is left, and the pod is its own. */
export async function nothingLeft(home) {
    let left = [];
    try {
        await until("the end of all sessions", async () => (left = await sessions(home)).length === 0);
    } catch (error) {
        throw new Error(`${error.message}; there is ${JSON.stringify(left)}`, { cause: error });
    }
    await podAnswers(home);
}
