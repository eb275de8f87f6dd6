/**
 * Claims that are opened together (onchain-engine 9.2; which inputs share one: tx/package.test.ts).
 */
import assert from "node:assert/strict";
import { sat } from "@farwatch/protocol/amount";
import { blockHeight } from "@farwatch/protocol/block";
import { perCommitmentSecret } from "@farwatch/protocol/ids";
import { addClaims } from "@farwatch/monitor-service/monitor/claims/add-claims";
import { MAX_CLAIM_INPUTS } from "@farwatch/monitor-service/tx/package";
import { outstanding } from "@farwatch/monitor-service/monitor/outstanding";
import type { ClaimInput } from "@farwatch/monitor-service/monitor/state";
import { startWork } from "@farwatch/monitor-service/monitor/work";

import { NOWHERE } from "../channel/test-channel.js";
import { claimWeight } from "@farwatch/monitor-service/tx/claim";
import { toTxInput } from "@farwatch/monitor-service/monitor/claims/claim-inputs";
import { protectedChannel } from "./protected-channel.js";

/** bitcoind relays no heavier transaction (BOLT 2 and 3 rely on it). */
const MAX_STANDARD_WEIGHT = 400_000;

const input = (vout: number, contestedFrom: number): ClaimInput => ({
  kind: "revokedHtlc",
  outpoint: { txid: NOWHERE.txid, vout },
  valueSat: sat(20_000),
  script: new Uint8Array(140),
  createdAt: blockHeight(500),
  contestedFrom: blockHeight(contestedFrom),
  notBefore: blockHeight(0),
  deadline: undefined,
  secret: perCommitmentSecret(new Uint8Array(32).fill(1)),
  revocationPubkey: new Uint8Array(33).fill(2),
  offered: true,
});

async function grouped(inputs: readonly ClaimInput[]) {
  const p = await protectedChannel();
  const work = startWork(p.ctx, p.state);
  addClaims(work, inputs);
  return { p, work, sizes: work.state.claims.map((claim) => claim.inputs.length) };
}

const calm = (count: number): readonly ClaimInput[] =>
  Array.from({ length: count }, (_, vout) => input(vout, 10_000));

describe("monitor core: grouping of claims", () => {
  it("joins up to the limit of inputs, and starts another claim beyond", async () => {
    assert.deepEqual((await grouped(calm(MAX_CLAIM_INPUTS))).sizes, [MAX_CLAIM_INPUTS]);
    assert.deepEqual((await grouped(calm(MAX_CLAIM_INPUTS + 1))).sizes, [MAX_CLAIM_INPUTS, 1]);
  });

  it("a full claim stays far below the standard weight", async () => {
    const { p, work } = await grouped(calm(MAX_CLAIM_INPUTS));
    const { channelType, destinationScript } = p.state.parameters;
    const inputs = work.state.claims.flatMap((claim) =>
      claim.inputs.map((item) => toTxInput(channelType, item)),
    );
    assert.ok(claimWeight(inputs, destinationScript) * 2 < MAX_STANDARD_WEIGHT);
    assert.equal(outstanding(p.ctx, work.state).length, 1);
  });

  it("adds an outpoint once", async () => {
    const { work } = await grouped(calm(2));
    const before = work.state.claims;
    addClaims(work, calm(2));
    assert.equal(work.state.claims, before);
  });
});
