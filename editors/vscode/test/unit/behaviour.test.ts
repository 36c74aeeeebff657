// The table that every editor keeps to.

import assert from "node:assert/strict";
import { test } from "node:test";
import behaviour from "../../../behaviour.json";
import { namedByDefault } from "../../src/configs/default";
import { asksServer } from "../../src/launch/active";
import { environmentOf } from "../../src/launch/environment";
import { outcomeOf, outcomeOfFailure } from "../../src/launch/outcome";
import { failureOf } from "../../src/server/failure";

for (const row of behaviour.active) {
    test(`active: ${row.when}`, () => {
        const toggle = row.toggle ?? undefined;
        const switches = { toggle, enabledByDefault: row.enabledByDefault, forced: row.forced ?? false };
        assert.equal(asksServer(switches, row.env as Record<string, string | null>), row.asks);
    });
}

for (const row of behaviour.env) {
    test(`environment: ${row.shape}`, () => assert.deepEqual(environmentOf(row.raw), row.env));
}

for (const row of behaviour.config) {
    test(`default configuration: ${row.when}`, () => {
        assert.equal(namedByDefault(row.source, row.defaultConfig, "/w") ?? null, row.sends);
    });
}

test("the default configuration may be named from its folder on", () => {
    assert.equal(namedByDefault("none", "${workspaceFolder}/a.json", "/w"), "/w/a.json");
    assert.equal(namedByDefault("none", "a.json", "/w"), "/w/a.json");
});

for (const row of behaviour.decision) {
    test(`decision: ${row.decision ?? row.failure}`, () => {
        const outcome = row.decision
            ? outcomeOf({ decision: row.decision })
            : outcomeOfFailure(failureOf({ message: "no", data: { kind: row.failure, message: "no" } }));
        assert.equal(outcome, row.launch);
    });
}
