// Patterns of recorded conversations.
//
// An object in a pattern names the members that must match (others may be there, for either side
// may be newer); a list must match member by member; a scalar is compared. Special patterns:
//   {"$type": "string"}        any value of this JSON type ("array" and "integer" too)
//   {"$re": "^a"}              a string that this expression matches
//   {"$contains": [p, …]}      a list with a member for each pattern
//   {"$absent": true}          only as a member's pattern: it must not be there

export class Mismatch extends Error {}

const typeOf = (value) => {
    if (value === null) return "null";
    if (Array.isArray(value)) return "array";
    return typeof value;
};

const special = {
    $type(type, value, where) {
        const fits = type === "integer" ? Number.isInteger(value) : typeOf(value) === type;
        if (!fits) fail(where, `a value of the type ${type}`, value);
    },
    $re(expression, value, where) {
        const fits = typeof value === "string" && new RegExp(expression, "u").test(value);
        if (!fits) fail(where, `a text like /${expression}/`, value);
    },
    $contains(patterns, value, where) {
        if (!Array.isArray(value)) fail(where, "a list", value);
        for (const pattern of patterns) {
            const found = value.some((member) => matches(pattern, member));
            if (!found) fail(where, `a member like ${JSON.stringify(pattern)}`, value);
        }
    },
};

function fail(where, wanted, value) {
    throw new Mismatch(`${where || "the value"}: wanted ${wanted}, got ${JSON.stringify(value)}`);
}

/** Whether the value fits. */
export function matches(pattern, value) {
    try {
        match(pattern, value);
        return true;
    } catch (error) {
        if (error instanceof Mismatch) return false;
        throw error;
    }
}

/** Throws a Mismatch that names the first place that does not fit. */
export function match(pattern, value, where = "") {
    if (Array.isArray(pattern)) {
        if (!Array.isArray(value)) fail(where, "a list", value);
        if (value.length !== pattern.length) fail(where, `${pattern.length} members`, value);
        pattern.forEach((member, index) => match(member, value[index], `${where}/${index}`));
        return;
    }
    if (pattern === null || typeof pattern !== "object") {
        if (pattern !== value) fail(where, JSON.stringify(pattern), value);
        return;
    }
    const [[key, argument] = []] = Object.entries(pattern);
    if (key in special) {
        special[key](argument, value, where);
        return;
    }
    if (typeOf(value) !== "object") fail(where, "an object", value);
    for (const [name, member] of Object.entries(pattern)) {
        if (member?.$absent) {
            if (name in value) fail(`${where}/${name}`, "nothing", value[name]);
        } else {
            if (!(name in value)) fail(`${where}/${name}`, JSON.stringify(member), undefined);
            match(member, value[name], `${where}/${name}`);
        }
    }
}
