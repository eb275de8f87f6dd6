#!/usr/bin/env node
// `farwatch cln-plugin` under a name of its own: lightningd gives its plugins no arguments.
process.argv.splice(2, Infinity, "cln-plugin");
await import("./farwatch.js");
