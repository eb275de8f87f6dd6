/**
 * Keys of an LDK channel on a host that has no seed: the operator handed over the five secrets of that channel
 * alone (ADR M-05). The channel's public keys must be theirs before the first receipt.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Transaction } from "bitcoinjs-lib";
import { z } from "zod";
import { must } from "@farwatch/protocol/assert";
import { fromHex, toHex, utf8 } from "@farwatch/protocol/bytes";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import { readLdkMonitor } from "@farwatch/protocol/ldk/convert/read-monitor";
import { channelMaster, channelSecrets } from "@farwatch/monitor-service/signer/derive-keys";
import { parseImport } from "@farwatch/monitor-service/signer/import-keys";
import { LocalSigner } from "@farwatch/monitor-service/signer/local-signer";
import { MemoryFloors } from "@farwatch/monitor-service/signer/holder-floors";
import { MIN_COST } from "@farwatch/monitor-service/signer/sealed";
import { StoredKeys, writeKeyStore } from "@farwatch/monitor-service/signer/stored-keys";
import { REGTEST_CHAIN_HASH } from "../../harness/channel/setup.js";
import { LdkNode, recordingNamed } from "../shell/ldk-node.js";

const RUN = "revoked.anchors_zero_fee_htlc_tx";
const NODE = "B";
const passphrase = utf8("correct horse battery");

/** As `farwatch-monitor keys import` reads them; `payment` chooses LDK 0.2's payment key. */
function importFile(seed: Uint8Array, keysId: Uint8Array, payment: "v1" | "v2"): string {
  const secrets = channelSecrets(nobleCurve, seed, channelMaster(nobleCurve, seed), keysId);
  const paymentSecret = payment === "v1" ? secrets.payment : must(secrets.paymentV2, "v2");
  return JSON.stringify({
    channels: [
      {
        channel_keys_id: toHex(keysId),
        funding_secret: toHex(secrets.funding),
        revocation_base_secret: toHex(secrets.revocationBase),
        payment_secret: toHex(paymentSecret),
        delayed_payment_base_secret: toHex(secrets.delayedPaymentBase),
        htlc_base_secret: toHex(secrets.htlcBase),
      },
    ],
  });
}

describe("an LDK channel on a host that has the secrets of this channel alone", function () {
  this.timeout(120_000);
  const recording = recordingNamed(RUN);
  const { seed, timeline } = must(recording.nodes[NODE], "a recorded node");
  const [watch] = timeline.filter((entry) => entry.type === "watch_channel");
  const { channel, monitor } = must(watch, "a channel");
  const read = readLdkMonitor(fromHex(monitor), REGTEST_CHAIN_HASH, nobleCurve);
  assert.ok(read.ok);
  const { channelKeysId } = read.value.initial.parameters;
  let folder: string;
  let nodes: LdkNode[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "farwatch-channel-keys-"));
    nodes = [];
  });
  afterEach(async () => {
    for (const node of nodes) await node.world.end();
    rmSync(folder, { recursive: true });
  });

  const signerOf = (text: string, floors = new MemoryFloors()): LocalSigner => {
    const file = join(folder, "channel.keys");
    writeKeyStore(file, parseImport(nobleCurve, text), passphrase, MIN_COST);
    const keys = new StoredKeys({
      file,
      passphrase: () => Uint8Array.from(passphrase),
      onUnreadable: (error) => assert.fail(String(error)),
    });
    return new LocalSigner(nobleCurve, keys, floors);
  };
  const hostOf = async (text: string): Promise<LdkNode> => {
    const floors = new MemoryFloors();
    const node = await LdkNode.start(recording, NODE, { floors, signer: signerOf(text, floors) });
    nodes.push(node);
    return node;
  };

  it("punishes with them", async () => {
    const node = await hostOf(importFile(fromHex(seed), channelKeysId, "v1"));
    for (const entry of timeline) await node.take(entry);
    const wanted = must(recording.expect?.[NODE], "expected").confirmed_broadcasts.flatMap(
      ({ inputs }) => inputs,
    );
    const spent = new Set(
      node.world.chain.broadcasts
        .flatMap((raw) => Transaction.fromBuffer(Buffer.from(raw)).ins)
        .map(({ hash, index }) => `${Buffer.from(hash).reverse().toString("hex")}:${index}`),
    );
    assert.equal(wanted.length, 3);
    assert.deepEqual(
      wanted.filter((outpoint) => !spent.has(outpoint)),
      [],
    );
    assert.deepEqual(
      node.world.lines.filter(({ level }) => level === "error"),
      [],
    );
  });

  for (const [what, text] of [
    ["other secrets", importFile(new Uint8Array(32).fill(5), channelKeysId, "v1")],
    ["another payment key", importFile(fromHex(seed), channelKeysId, "v2")],
    ["secrets of another channel", importFile(fromHex(seed), new Uint8Array(32).fill(3), "v1")],
  ] as const) {
    it(`is refused with ${what}, and nothing is stored`, async () => {
      const node = await hostOf(text);
      const before = await node.world.rows();
      const { host, manager } = node.world;
      const here = { ...read.value.initial, bestBlock: undefined };
      const watched = await host.watchChannel(
        manager.who,
        manager.watch(here, read.value.firstUpdateId),
      );
      assert.ok(!watched.ok && watched.error.reason === "keysMismatch");
      assert.deepEqual(await node.world.rows(), before);
      assert.throws(() => node.channelId(channel));
    });
  }

  it("takes the payment key of LDK 0.2 as the secret it is", () => {
    const Keys = z.object({
      keys: z.array(
        z.object({
          seed: z.string(),
          channel_keys_id: z.string(),
          payment_point_v2: z.string(),
          funding_pubkey: z.string(),
        }),
      ),
    });
    const file = new URL("../../../vectors/ldk-keys.json", import.meta.url);
    for (const row of Keys.parse(JSON.parse(readFileSync(file, "utf8"))).keys.slice(0, 3)) {
      const id = fromHex(row.channel_keys_id);
      const held = signerOf(importFile(fromHex(row.seed), id, "v2")).pubkeys(id);
      assert.deepEqual(held?.paymentPoints.map(toHex), [row.payment_point_v2]);
      assert.equal(toHex(must(held, "keys").fundingPubkey), row.funding_pubkey);
    }
  });
});
