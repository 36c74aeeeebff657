import js from "@eslint/js";
import tseslint from "typescript-eslint";

export default tseslint.config(
    { ignores: ["dist/", "out/", "src/server/protocol.ts", "test/e2e/adapters/", "test/e2e/programs/", "*.mjs", "scripts/"] },
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
    {
        // Plain JavaScript: what no compiler reads must at least name what there is.
        files: ["test/e2e/**/*.js"],
        ...tseslint.configs.disableTypeChecked,
        languageOptions: {
            parserOptions: { projectService: false },
            globals: Object.fromEntries(["process", "console", "setTimeout", "clearTimeout", "fetch", "URL", "URLSearchParams", "Buffer", "document"].map((name) => [name, "readonly"])),
        },
    },
);
