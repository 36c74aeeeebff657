// Speaks a recorded conversation. Its steps, in order:
//   {"request": METHOD, "params": …, "result": PATTERN}        or "error": PATTERN of the error
//   {"notify": METHOD, "params": …}
//   {"expect": METHOD, "params": PATTERN}                      a notification of the server
//   {"answer": METHOD, "with": VALUE}                          to a later request of the server
//   {"write": FILE, "text": TEXT}                              a file of the workspace
//   {"run": ["sandbox", "up", "shop"]}                         mirrord-server with these arguments
//   {"look": METHOD}                                           whatever else came of this method
// `unchecked` lets params pass that are against the schema. `save` of a request maps names to JSON Pointers of the result. In all texts `${workspace}` is
// the workspace's URI, `${folder}` its path, `${name}` what was saved.

import { match } from "./match.js";

function fill(value, names) {
    if (typeof value === "string") {
        return value.replace(/\$\{(\w+)\}/g, (whole, name) => {
            if (!(name in names)) throw new Error(`nothing was saved as ${name}`);
            return names[name];
        });
    }
    if (Array.isArray(value)) return value.map((member) => fill(member, names));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, fill(member, names)]));
}

const at = (value, pointer) =>
    pointer.split("/").slice(1).reduce((inside, name) => inside?.[name], value);

const steps = {
    async request(client, step, names) {
        if (step.error !== undefined) {
            const error = await client.failing(step.request, step.params, step.unchecked);
            match(step.error, { code: error.code, message: error.message, data: error.data });
            return;
        }
        const result = await client.request(step.request, step.params);
        if (step.result !== undefined) match(step.result, result);
        for (const [name, pointer] of Object.entries(step.save ?? {})) names[name] = at(result, pointer);
    },
    notify: (client, step) => client.notify(step.notify, step.params),
    expect: (client, step) => client.expect(step.expect, step.params),
    answer: (client, step) => client.answer(step.answer, step.with),
    run: (client, step, names, home) => home.must(...step.run),
    look: (client, step) => client.look(step.look),
    write: (client, step, names, home) => home.write(step.write, step.text),
};

/** Speaks it from `initialize` to `exit`. */
export async function converse(client, home, conversation) {
    const names = { workspace: home.workspaceUri, folder: home.workspace };
    await client.initialize(home, conversation.initializationOptions);
    for (const [index, raw] of conversation.steps.entries()) {
        const step = fill(raw, names);
        const kind = Object.keys(steps).find((kind) => kind in step);
        if (!kind) throw new Error(`step ${index}: nobody knows what to do`);
        try {
            await steps[kind](client, step, names, home);
        } catch (error) {
            error.message = `step ${index} (${step[kind]}): ${error.message}`;
            throw error;
        }
    }
    await client.end();
}
