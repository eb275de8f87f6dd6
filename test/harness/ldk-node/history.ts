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
import { isOf, okOf } from "../../fixture-recorder/ldk/result.js";
import { broadcaster, eventHandler } from "../../fixture-recorder/ldk/traits.js";
import type { Commitment } from "./protocol.js";

interface Past {
  readonly monitor: Uint8Array;
  readonly updates: Uint8Array[];
}

export class History {
  readonly #channels = new Map<string, Past>();
  readonly #byFunding = new Map<string, Past>();
  /** Newest id handed to the Watch, and newest it has told to be completed, by channel id. */
  readonly #handed = new Map<string, bigint>();
  readonly #completed = new Map<string, bigint>();

  constructor(
    private readonly keys: KeysManager,
    private readonly fees: FeeEstimator,
    private readonly log: Logger,
  ) {}

  /** Every update of this life has come back as completed. */
  get isSettled(): boolean {
    return [...this.#handed].every(([id, handed]) => (this.#completed.get(id) ?? -1n) >= handed);
  }

  /** Notes what passes on its way to the real Watch. */
  around(inner: Watch): Watch {
    const { LDKChannelMonitorUpdateStatus_InProgress: inProgress } = ldk.ChannelMonitorUpdateStatus;
    return ldk.Watch.new_impl({
      watch_channel: (funding, monitor) => {
        const past = { monitor: monitor.write(), updates: [] };
        const id = toHex(monitor.channel_id().get_a());
        this.#channels.set(id, past);
        this.#byFunding.set(outpointName(funding), past);
        const status = inner.watch_channel(funding, monitor);
        if (isOf(ldk.Result_ChannelMonitorUpdateStatusNoneZ_OK, status)) {
          if (status.res === inProgress) this.#handed.set(id, monitor.get_latest_update_id());
        }
        return status;
      },
      update_channel: (funding, update) => {
        this.#byFunding.get(outpointName(funding))?.updates.push(update.write());
        const status = inner.update_channel(funding, update);
        const id = toHex(update.get_channel_id().get_a());
        if (status === inProgress) this.#handed.set(id, update.get_update_id());
        return status;
      },
      release_pending_monitor_events: () => {
        const released = inner.release_pending_monitor_events();
        for (const entry of released) {
          const id = toHex(entry.get_b().get_a());
          for (const event of entry.get_c()) {
            if (event instanceof ldk.MonitorEvent_Completed)
              this.#completed.set(id, event.monitor_update_id);
          }
        }
        return released;
      },
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
