/**
 * The ordered list of schema changes. Position n brings a store from version n to n + 1. A released
 * entry never changes; a new one is added at the end.
 */
import { initialSchema } from "./001-initial.js";
import { archive } from "./002-archive.js";
import { bumpTable } from "./003-bump.js";
import { sweeps } from "./004-sweeps.js";
import { penalties } from "./005-penalties.js";

export const MIGRATIONS: readonly string[] = [initialSchema, archive, bumpTable, sweeps, penalties];

/** Version a store has after this build opened it. */
export const SCHEMA_VERSION = MIGRATIONS.length;
