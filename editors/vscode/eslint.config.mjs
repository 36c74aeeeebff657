import js from "@eslint/js";
import tseslint from "typescript-eslint";

export default tseslint.config(
    { ignores: ["dist/", "out/", "src/server/protocol.ts", "test/e2e/", "*.mjs", "scripts/"] },
    js.configs.recommended,
    ...tseslint.configs.recommendedTypeChecked,
    {
        languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
        rules: {
            // Node's runner awaits the tests of a file by itself.
            "@typescript-eslint/no-floating-promises": ["error", { ignoreVoid: true, allowForKnownSafeCalls: [{ from: "package", name: "test", package: "node:test" }] }],
            // Overridden by what VS Code's interfaces ask for.
            "@typescript-eslint/require-await": "off",
        },
    },
);
