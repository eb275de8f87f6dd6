// Type-aware lint. The rules here are the ones whose absence loses money: floating promises,
// switches that forget a variant, `any`, and IO or clocks inside a pure core.
import tseslint from "typescript-eslint";

const CLOCK_AND_CHANCE = [
  { name: "Date", message: "a pure core is given the time as input" },
  { name: "process", message: "a pure core reads no environment" },
  { name: "setTimeout", message: "timers belong to the shell" },
  { name: "setInterval", message: "timers belong to the shell" },
  { name: "setImmediate", message: "timers belong to the shell" },
  { name: "crypto", message: "randomness is an input" },
  { name: "console", message: "log facts through observe/log" },
];

export default tseslint.config(
  {
    ignores: [
      "**/dist/**",
      "proto/gen/**",
      "**/node_modules/**",
      "**/*.mjs",
      "**/*.cjs",
      "**/*.js",
    ],
  },
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.base],
    languageOptions: {
      parserOptions: {
        project: [
          "./proto/tsconfig.json",
          "./monitor-service/tsconfig.json",
          "./manager-service/tsconfig.json",
          "./test/tsconfig.json",
        ],
        tsconfigRootDir: new URL("../..", import.meta.url).pathname,
      },
    },
    rules: {
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-misused-promises": "error",
      "@typescript-eslint/await-thenable": "error",
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { considerDefaultExhaustiveForUnions: true },
      ],
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/no-non-null-assertion": "error",
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/only-throw-error": "error",
      "@typescript-eslint/no-unused-expressions": "error",
      "no-restricted-syntax": [
        "error",
        { selector: "ExportDefaultDeclaration", message: "name what you export" },
        { selector: "CatchClause > BlockStatement[body.length=0]", message: "say why it is safe" },
      ],
      "no-console": "error",
      eqeqeq: "error",
      "prefer-const": "error",
    },
  },
  {
    files: [
      "proto/src/**/*.ts",
      "monitor-service/src/{bolt,tx,monitor}/**/*.ts",
      "manager-service/src/manager/**/*.ts",
    ],
    ignores: ["**/*.test.ts"],
    rules: {
      "no-restricted-globals": ["error", ...CLOCK_AND_CHANCE],
      "no-restricted-properties": ["error", { object: "Math", property: "random" }],
    },
  },
  {
    files: [
      "test/{demo,bench,fixture-recorder}/**/*.ts",
      "test/scenarios/run.ts",
      "test/fuzz/main.ts",
    ],
    rules: { "no-console": "off" },
  },
);
