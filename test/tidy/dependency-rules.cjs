/**
 * Dependency directions of docs in README "Folder map"; depcruise fails the lint when one is broken.
 * "core" folders decide; they may not do IO, so they import neither Node, nor stores, nor gRPC.
 */
const CORE = [
  "^proto/src/",
  "^monitor-service/src/(bolt|tx|monitor)/",
  "^manager-service/src/manager/",
];
const NOT_TEST = "\\.test\\.ts$";
module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    {
      name: "core-imports-no-io",
      comment: "pure cores and shared vocabulary: no Node built-ins",
      severity: "error",
      from: { path: CORE, pathNot: [NOT_TEST, "^proto/src/curve/tiny-curve\\.ts$"] },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "core-imports-only-allowed-packages",
      severity: "error",
      from: { path: CORE, pathNot: [NOT_TEST, "^proto/src/(curve/tiny-curve|convert/)"] },
      to: {
        dependencyTypes: [
          "npm",
          "npm-dev",
          "npm-optional",
          "npm-peer",
          "npm-no-pkg",
          "npm-unknown",
        ],
        pathNot: ["node_modules/@noble/", "node_modules/bitcoinjs-lib/", "@farwatch/"],
      },
    },
    {
      name: "bitcoinjs-only-in-bolt-and-tx",
      severity: "error",
      from: {
        path: "^(proto/src|monitor-service/src/monitor|manager-service/src)/",
        pathNot: NOT_TEST,
      },
      to: { path: "node_modules/bitcoinjs-lib/" },
    },
    {
      name: "core-imports-no-shell",
      severity: "error",
      from: { path: "^monitor-service/src/(bolt|tx|monitor)/", pathNot: NOT_TEST },
      to: { path: "^monitor-service/src/(chain|store|signer|auth|outbox|rpc|runtime|observe)/" },
    },
    {
      name: "bolt-below-tx-below-monitor",
      severity: "error",
      from: { path: "^monitor-service/src/bolt/", pathNot: NOT_TEST },
      to: { path: "^monitor-service/src/(tx|monitor)/" },
    },
    {
      name: "tx-below-monitor",
      severity: "error",
      from: { path: "^monitor-service/src/tx/", pathNot: NOT_TEST },
      to: { path: "^monitor-service/src/monitor/" },
    },
    {
      name: "manager-core-imports-no-shell",
      severity: "error",
      from: { path: "^manager-service/src/manager/", pathNot: NOT_TEST },
      to: { path: "^manager-service/src/(monitors|store|rpc|runtime|observe|events-api)/" },
    },
    {
      name: "services-never-import-each-other",
      severity: "error",
      from: { path: "^monitor-service/src/" },
      to: { path: "(^|/)manager-service/|@farwatch/manager-service" },
    },
    {
      name: "services-never-import-each-other-back",
      severity: "error",
      from: { path: "^manager-service/src/" },
      to: { path: "(^|/)monitor-service/|@farwatch/monitor-service" },
    },
    {
      name: "remote-watch-is-a-client",
      comment: "what a node runs: it speaks to a manager-service and shares nothing of its inside",
      severity: "error",
      from: { path: "^manager-service/src/ldk/", pathNot: [NOT_TEST, "/testing/"] },
      to: { path: "^manager-service/src/(?!ldk/|monitors/backoff\\.ts$)" },
    },
    {
      name: "nothing-imports-test",
      severity: "error",
      from: { path: "^(proto|monitor-service|manager-service)/" },
      to: { path: "^test/|@farwatch/test" },
    },
    {
      name: "generated-types-stay-at-the-edge",
      severity: "error",
      from: {
        path: "^(proto/src|monitor-service/src|manager-service/src)/",
        pathNot: [
          NOT_TEST,
          "/convert/",
          "/rpc/",
          "/monitors/",
          "/events-api/",
          "^manager-service/src/(runtime|ldk|cln)/",
        ],
      },
      to: { path: "proto/(dist/)?gen/" },
    },
  ],
  options: {
    doNotFollow: { path: ["node_modules", "dist"] },
    exclude: { path: ["^test/dist/"] },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "require", "node", "default"],
    },
  },
};
