// TypeScript types of the protocol, from the schema that the server's own types make. What the
// schema calls open (an enum of today's words or any text) stays open here.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

const schema = JSON.parse(readFileSync(new URL("../../../schemas/mirrord-protocol.schema.json", import.meta.url), "utf8"));

function typeOf(one) {
    if (one === true || one === undefined) return "unknown";
    if (one.$ref) return one.$ref.split("/").at(-1);
    if ("const" in one) return JSON.stringify(one.const);
    if (one.enum) return one.enum.map((value) => JSON.stringify(value)).join(" | ");
    const choice = one.oneOf ?? one.anyOf;
    if (choice) {
        const words = choice.some((each) => each.enum);
        const types = choice.map((each) => (words && each.type === "string" && !each.enum ? "(string & {})" : typeOf(each)));
        const own = one.properties ? `${object(one)} & ` : "";
        return `${own}(${types.join(" | ")})`;
    }
    const types = [one.type ?? "unknown"].flat().map((type) => ofType(type, one));
    return types.join(" | ");
}

function ofType(type, one) {
    switch (type) {
        case "integer":
        case "number":
            return "number";
        case "array":
            return `Array<${typeOf(one.items)}>`;
        case "object":
            return object(one);
        default:
            return type;
    }
}

function object(one) {
    if (!one.properties) {
        return one.additionalProperties ? `Record<string, ${typeOf(one.additionalProperties)}>` : "Record<string, unknown>";
    }
    const required = new Set(one.required ?? []);
    const members = Object.entries(one.properties).map(
        ([name, member]) => `${JSON.stringify(name)}${required.has(name) ? "" : "?"}: ${typeOf(member)};`,
    );
    return `{ ${members.join(" ")} }`;
}

const lines = ["// Made by scripts/types.mjs from schemas/mirrord-protocol.schema.json.", ""];
for (const [name, one] of Object.entries(schema.$defs)) {
    if (one.description) lines.push(`/** ${one.description.replaceAll("*/", "").replaceAll("\n", " ")} */`);
    lines.push(`export type ${name} = ${typeOf(one)};`, "");
}
const table = (kind, direction) =>
    Object.entries(schema.methods)
        .filter(([, method]) => method.kind === kind && method.direction === direction)
        .map(([name, { params, result }]) => {
            const type = kind === "request" ? `{ params: ${typeOf(params)}; result: ${typeOf(result)} }` : typeOf(params);
            return `    ${JSON.stringify(name)}: ${type};`;
        });
for (const [name, rows] of [
    ["Requests", table("request", "clientToServer")],
    ["ServerRequests", table("request", "serverToClient")],
    ["ServerNotifications", table("notification", "serverToClient")],
]) {
    lines.push(`export interface ${name} {`, ...rows, "}", "");
}
lines.push(`export const PROTOCOL_VERSION = ${schema.protocolVersion};`, "");

const file = fileURLToPath(new URL("../src/server/protocol.ts", import.meta.url));
mkdirSync(dirname(file), { recursive: true });
writeFileSync(file, lines.join("\n"));
