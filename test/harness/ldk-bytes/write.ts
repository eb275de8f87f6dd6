/** Writes test/vectors/ldk-built from the builders; a test holds the files to them. */
import { mkdirSync, writeFileSync } from "node:fs";
import { builtFolder, fileTexts } from "./files.js";

mkdirSync(builtFolder, { recursive: true });
for (const [name, text] of fileTexts()) writeFileSync(new URL(name, builtFolder), text);
