// The environment in a launch configuration. Debug adapters keep it in different shapes; the server
// writes each of them, and here it is only read.

export type Environment = Record<string, string | null>;

type Raw = Record<string, unknown>;

/** Variables of `env` or `environment`; null means that the variable is taken away. */
export function environmentOf(raw: Raw): Environment {
    return { ...read(raw.environment), ...read(raw.env) };
}

function read(value: unknown): Environment {
    if (Array.isArray(value)) return Object.fromEntries(value.flatMap(entry));
    if (typeof value !== "object" || value === null) return {};
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, text(one)]));
}

/** `NAME=value`, or `{name, value}`. A word without a value is inherited: it says nothing here. */
function entry(item: unknown): [string, string | null][] {
    if (typeof item === "string") {
        const at = item.indexOf("=");
        return at > 0 ? [[item.slice(0, at), item.slice(at + 1)]] : [];
    }
    const pair = item as { name?: unknown; value?: unknown } | null;
    return typeof pair?.name === "string" ? [[pair.name, text(pair.value)]] : [];
}

function text(value: unknown): string | null {
    if (value === null || value === undefined) return null;
    return typeof value === "string" ? value : JSON.stringify(value);
}
