// Every mirrord/* message that passes, in either direction, is held against the schema that is
// made from the server's own types.

import { readFileSync } from "node:fs";
import Ajv from "ajv/dist/2020.js";

const file = new URL("../../../schemas/mirrord-protocol.schema.json", import.meta.url);
export const protocol = JSON.parse(readFileSync(file, "utf8"));

const ajv = new Ajv({ strict: false, allErrors: false, validateFormats: false });
ajv.addSchema({ $id: "protocol", ...protocol });
const compiled = new Map();

const escape = (part) => part.replaceAll("~", "~0").replaceAll("/", "~1");

/** Fails unless `value` is what the schema says of `part` (params or result) of `method`. */
export function check(method, part, value) {
    const described = protocol.methods[method];
    if (!described) throw new Error(`the schema has no method ${method}`);
    if (!(part in described)) throw new Error(`the schema has no ${part} of ${method}`);
    const pointer = `protocol#/methods/${escape(method)}/${part}`;
    if (!compiled.has(pointer)) compiled.set(pointer, ajv.compile({ $ref: pointer }));
    const validate = compiled.get(pointer);
    if (!validate(value)) {
        const [error] = validate.errors;
        throw new Error(
            `${part} of ${method} are not what the schema says: ${error.instancePath} ` +
                `${error.message} in ${JSON.stringify(value)}`,
        );
    }
}

/** The same for the data of an error. */
export function checkError(data) {
    const pointer = "protocol#/error/data";
    if (!compiled.has(pointer)) compiled.set(pointer, ajv.compile({ $ref: pointer }));
    const validate = compiled.get(pointer);
    if (!validate(data)) throw new Error(`an error's data are not what the schema says: ${JSON.stringify(data)}`);
}
