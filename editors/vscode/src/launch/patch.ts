// A JSON Patch (RFC 6902) on a launch configuration: the four operations that the server sends.

import type { PatchOperation } from "../server/protocol";

type Holder = Record<string, unknown> | unknown[];

/** A changed copy. Throws when an operation does not fit, so that no launch is changed by half. */
export function applyPatch<T extends object>(raw: T, operations: readonly PatchOperation[]): T {
    const copy = structuredClone(raw);
    for (const operation of operations) apply(copy as Holder, operation);
    return copy;
}

function apply(root: Holder, operation: PatchOperation): void {
    const names = pointer(operation.path);
    const last = names.pop();
    if (last === undefined) throw new Error(`the patch would replace the whole launch (${operation.op} "")`);
    const holder = names.reduce<unknown>((at, name) => (isHolder(at) ? get(at, name) : undefined), root);
    if (!isHolder(holder)) throw new Error(`the launch has no ${operation.path} to ${operation.op}`);
    switch (operation.op) {
        case "add":
            return add(holder, last, structuredClone(operation.value));
        case "replace":
            mustHave(holder, last, operation);
            return set(holder, last, structuredClone(operation.value));
        case "remove":
            mustHave(holder, last, operation);
            return Array.isArray(holder) ? void holder.splice(Number(last), 1) : void delete holder[last];
        case "test":
            if (JSON.stringify(get(holder, last)) !== JSON.stringify(operation.value)) {
                throw new Error(`the launch changed while it was prepared: ${operation.path} is not what it was`);
            }
    }
}

function pointer(path: string): string[] {
    if (path === "") return [];
    if (!path.startsWith("/")) throw new Error(`${path} is no JSON Pointer`);
    const names = path.slice(1).split("/").map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"));
    // A launch configuration has no such member, and writing it would change every object.
    if (names.includes("__proto__")) throw new Error(`${path} leads out of the launch`);
    return names;
}

const isHolder = (value: unknown): value is Holder => typeof value === "object" && value !== null;

const get = (holder: Holder, name: string): unknown =>
    Object.hasOwn(holder, name) ? (holder as Record<string, unknown>)[name] : undefined;

function set(holder: Holder, name: string, value: unknown): void {
    (holder as Record<string, unknown>)[name] = value;
}

function add(holder: Holder, name: string, value: unknown): void {
    if (!Array.isArray(holder)) return set(holder, name, value);
    const at = name === "-" ? holder.length : Number(name);
    if (!Number.isInteger(at) || at < 0 || at > holder.length) throw new Error(`${name} is no place in a list`);
    holder.splice(at, 0, value);
}

function mustHave(holder: Holder, name: string, { op, path }: PatchOperation): void {
    if (!Object.hasOwn(holder, name)) throw new Error(`the launch has no ${path} to ${op}`);
}
