/**
 * The host as the RPC layer sees it before and after a brand-new store knows its first block. A channel
 * needs a block to start from, so until then everything that would change something is refused as
 * `starting`, which callers repeat; what only reads answers that there is nothing yet.
 */
import { sat } from "@farwatch/protocol/amount";
import { blockHash, blockHeight } from "@farwatch/protocol/block";
import { fromHex, reversed, toHex } from "@farwatch/protocol/bytes";
import { parseUpdate } from "@farwatch/protocol/envelope/update";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err } from "@farwatch/protocol/result";
import type { HostInfo, MonitorHost, RefusedUpdate } from "./runtime/monitor-host.js";

/** What is known of a store without any block. */
export type EmptyStore = Pick<
  HostInfo,
  "monitorKey" | "storeId" | "storeGen" | "curveBackend" | "chainHash"
>;

const refusal: Refusal = refuse(
  "starting",
  "a new monitor waits for its first answer from bitcoind; send the same again",
);
const refused = err(refusal);
const noChannel = err(refuse("channelUnknown", "this monitor watches no channel yet"));

/** For a store that has no channels, no sessions and no block. */
export function waitingHost(store: EmptyStore): MonitorHost {
  return {
    openSession: () => Promise.resolve(refused),
    watchChannel: () => Promise.resolve(refused),
    submitUpdates: (_, { updates }) =>
      Promise.resolve({ receipts: undefined, refused: updates.map(refusedUpdate) }),
    putPreimages: () => Promise.resolve(refused),
    ackEvents: () => Promise.resolve(refused),
    broadcastHolder: () => Promise.resolve(refused),
    signBump: () => Promise.resolve(refused),
    channel: () => noChannel,
    anyChannel: () => Promise.resolve(noChannel),
    counterpartyCommitment: () => Promise.resolve(noChannel),
    buildJustice: () => Promise.resolve(noChannel),
    channels: () => Promise.resolve({ views: [], nextAfter: undefined }),
    pendingEvents: () => [],
    subscribe: () => refused,
    info: () => ({
      ...store,
      tip: genesisOf(store.chainHash),
      chainState: "unavailable",
      channels: 0,
      zeroFeeChannels: 0,
      archivedChannels: 0,
      pendingEvents: 0,
      oldestPendingEventAtMs: undefined,
      feeReserveSat: sat(0),
      features: [],
    }),
  };
}

function refusedUpdate({ header }: { readonly header: Uint8Array }): RefusedUpdate {
  const parsed = parseUpdate(header);
  const { channelId, updateId } = parsed.ok
    ? parsed.value
    : { channelId: undefined, updateId: undefined };
  return { channelId, updateId, refusal };
}

/** The one block of the network that is known without asking. */
const genesisOf = (chainHash: string): HostInfo["tip"] => ({
  height: blockHeight(0),
  hash: blockHash(toHex(reversed(fromHex(chainHash)))),
});
