/**
 * Everything a node's ChannelManager handed to its Watch in this life of the process, and out of it the
 * signed holder commitment of any state since then. An honest node forgets; a cheater keeps copies, and this
 * is what it keeps.
 */
import { must } from "@farwatch/protocol/assert";
import { toHex } from "@farwatch/protocol/bytes";
import type { FeeEstimator, KeysManager, Logger, Watch } from "lightningdevkit";
import { Transaction } from "bitcoinjs-lib";
import { inputsOf } from "../../fixture-recorder/chain/recorded-chain.js";
import { outpointName } from "../../fixture-recorder/ldk/describe-parts.js";
import { ldk } from "../../fixture-recorder/ldk/module.js";
import { readMonitor } from "../../fixture-recorder/ldk/monitor.js";
import { okOf } from "../../fixture-recorder/ldk/result.js";
import { broadcaster, eventHandler } from "../../fixture-recorder/ldk/traits.js";
import type { Commitment } from "./protocol.js";

interface Past {
  readonly monitor: Uint8Array;
  readonly updates: Uint8Array[];
}

export class History {
  readonly #channels = new Map<string, Past>();
  readonly #byFunding = new Map<string, Past>();

  constructor(
    private readonly keys: KeysManager,
    private readonly fees: FeeEstimator,
    private readonly log: Logger,
  ) {}

  /** Notes what passes on its way to the real Watch. */
  around(inner: Watch): Watch {
    return ldk.Watch.new_impl({
      watch_channel: (funding, monitor) => {
        const past = { monitor: monitor.write(), updates: [] };
        this.#channels.set(toHex(monitor.channel_id().get_a()), past);
        this.#byFunding.set(outpointName(funding), past);
        return inner.watch_channel(funding, monitor);
      },
      update_channel: (funding, update) => {
        this.#byFunding.get(outpointName(funding))?.updates.push(update.write());
        return inner.update_channel(funding, update);
      },
      release_pending_monitor_events: () => inner.release_pending_monitor_events(),
    });
  }

  /** Repeats of updates after a restart are of no matter: this is asked of processes that never died. */
  commitment(channelId: string, upTo: bigint | "latest"): Commitment {
    const past = must(this.#channels.get(channelId), "a channel of this life");
    const monitor = readMonitor(this.keys, past.monitor);
    const made: string[] = [];
    const nobody = broadcaster((raws) => made.push(...raws));
    for (const bytes of past.updates) {
      const Ok = ldk.Result_ChannelMonitorUpdateDecodeErrorZ_OK;
      const read = ldk.ChannelMonitorUpdate.constructor_read(bytes);
      const update = okOf(read, Ok, "reading an update").res;
      if (upTo !== "latest" && update.get_update_id() > upTo) break;
      monitor.update_monitor(update, nobody, this.fees, this.log);
    }
    monitor.broadcast_latest_holder_commitment_txn(nobody, this.fees, this.log);
    const take = eventHandler((event) => {
      if (!(event instanceof ldk.Event_BumpTransaction)) return;
      const bump = event.bump_transaction;
      if (bump instanceof ldk.BumpTransactionEvent_ChannelClose)
        made.push(toHex(bump.commitment_tx));
    });
    monitor.process_pending_events(take, this.log);
    const funding = outpointName(monitor.get_funding_txo().get_a());
    const raw = must(
      made.find((tx) => inputsOf(Transaction.fromHex(tx)).includes(funding)),
      "a commitment",
    );
    const updateId = monitor.get_latest_update_id();
    return { raw, txid: Transaction.fromHex(raw).getId(), updateId };
  }
}
