/** The hand-written messages of test/vectors/cln: what lightningd sends to a plugin. */
import { readFileSync } from "node:fs";
import { z } from "zod";

const hook = z.object({
  id: z.string(),
  params: z.object({
    commitment_txid: z.string(),
    penalty_tx: z.string(),
    channel_id: z.string(),
    commitnum: z.number(),
  }),
});
const init = z.object({
  id: z.string(),
  params: z.object({
    options: z.record(z.string(), z.unknown()),
    configuration: z.record(z.string(), z.unknown()),
  }),
});
const file = z.object({
  source: z.object({ repository: z.string(), commit: z.string() }),
  nodeId: z.string(),
  getmanifest: z.looseObject({ id: z.string() }),
  init: init.loose(),
  revocations: z.array(hook.loose()),
  closed: z.looseObject({}),
  normal: z.looseObject({}),
  status: z.looseObject({ id: z.string() }),
  shutdown: z.looseObject({}),
});
export type Revocation = z.infer<typeof hook>;

/** From test/dist/harness/cln. */
const path = new URL("../../../vectors/cln/plugin-messages.json", import.meta.url);

export const CLN = file.parse(JSON.parse(readFileSync(path, "utf8")));
