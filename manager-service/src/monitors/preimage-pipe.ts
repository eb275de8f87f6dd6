/**
 * Preimage records on their way to one monitor (contract 2.1, 2.7b), many under one signature, one call at
 * a time. They wait for nothing but the session: not for updates, not for the comparison of heads. A
 * record counts as durable only by the monitor's signed receipt. What is not confirmed stays a row of the
 * manager and is sent again after the next connect.
 */
import { toHex } from "@farwatch/protocol/bytes";
import { detailToRefusal } from "@farwatch/protocol/convert/error";
import { checkPreimageReceipt } from "@farwatch/protocol/envelope/open-monitor-message";
import type {
  GetChannelResponse,
  PutPreimagesResponse,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import type { ChannelId, Hash32 } from "@farwatch/protocol/ids";
import { REASONS, refuse, type Refusal } from "@farwatch/protocol/reasons";
import { BatchLoop } from "./batch-loop.js";
import type { LinkContext } from "./link-context.js";
import type { StoredPreimage } from "./monitor-link.js";
import { ConnectionLost } from "./rpc.js";

const keyOf = ({ channelId, paymentHash }: StoredPreimage): string => `${channelId}/${paymentHash}`;

interface Answer {
  readonly record: StoredPreimage;
  /** undefined: durable. */
  readonly refusal: Refusal | undefined;
}

export class PreimagePipe {
  readonly #context: LinkContext;
  readonly #waiting = new Map<string, StoredPreimage>();
  /** Of channels that the monitor does not know yet. */
  readonly #unwatched = new Map<ChannelId, StoredPreimage[]>();
  /** Watched since the call under way began: its `channelUnknown` may be older. */
  readonly #watchedMeanwhile = new Set<ChannelId>();
  /** Answered for good on this connection, durable or refused. */
  readonly #answered = new Set<string>();
  readonly #loop: BatchLoop;

  constructor(context: LinkContext) {
    this.#context = context;
    this.#loop = new BatchLoop(context, {
      waiting: this.#waiting,
      send: () => this.#sendBatch(),
    });
  }

  push(records: readonly StoredPreimage[]): void {
    for (const record of records) this.#waiting.set(keyOf(record), record);
    this.#loop.start();
  }

  /** The monitor has the channel's first state now. */
  watched(channelId: ChannelId): void {
    this.#watchedMeanwhile.add(channelId);
    const records = this.#unwatched.get(channelId) ?? [];
    this.#unwatched.delete(channelId);
    this.push(records);
  }

  /**
   * A store restored from a copy keeps its id and may lack what it once confirmed. An archived channel
   * acts on none and names none.
   */
  compare(
    channelId: ChannelId,
    view: Pick<GetChannelResponse, "preimagesKnown" | "archival">,
  ): void {
    if (view.archival?.archived === true) return;
    const { host, identity } = this.#context;
    const known = new Set(view.preimagesKnown.map((hash) => toHex(hash)));
    const records = host.preimagesOf(identity, channelId);
    this.push(
      records.filter(
        (record) => !known.has(record.paymentHash) && !this.#answered.has(keyOf(record)),
      ),
    );
  }

  /** Returns why the monitor did not answer all of it for good. */
  async #sendBatch(): Promise<Refusal | undefined> {
    const { rpc, signer, host, identity, session } = this.#context;
    const records = [...this.#waiting.values()].slice(0, session.limits.maxPreimageBatch);
    const { request, hashes } = signer.preimages(records);
    this.#watchedMeanwhile.clear();
    const response = await rpc.putPreimages(request);
    if (!response.ok) return response.error;
    const answers = this.#believed(records, hashes, response.value);
    const stored = answers.filter(({ refusal }) => refusal === undefined);
    for (const { record } of stored) this.#settle(record);
    let passing: Refusal | undefined;
    for (const answer of answers) passing = this.#refused(answer) ?? passing;
    if (stored.length > 0) {
      const durable = stored.map(({ record }) => record);
      await host.preimagesStored(identity, session.storeId, durable);
    }
    return passing;
  }

  /** Throws ConnectionLost when the answer is not the monitor's, or not to these records. */
  #believed(
    records: readonly StoredPreimage[],
    hashes: readonly Hash32[],
    { results, receiptHeader, receiptSignature }: PutPreimagesResponse,
  ): readonly Answer[] {
    const { options, session, host, identity } = this.#context;
    const durable = hashes.filter((_, index) => results[index]?.error === undefined);
    const { monitorKey, chainHash } = options;
    const from = { monitorKey, chainHash, storeId: session.storeId };
    const signed = { header: receiptHeader, signature: receiptSignature };
    const refusal =
      results.length !== records.length
        ? refuse("malformed", `${results.length} results for ${records.length} preimage records`)
        : durable.length > 0
          ? checkPreimageReceipt(options.curve, from, signed, durable)
          : undefined;
    if (refusal !== undefined) {
      host.alarm(identity, undefined, refusal);
      throw new ConnectionLost(`receipt of preimages not believed: ${refusal.message}`);
    }
    return records.map((record, index) => {
      const error = results[index]?.error;
      return { record, refusal: error === undefined ? undefined : detailToRefusal(error) };
    });
  }

  /** Returns the refusal when the same record may be sent again at once. */
  #refused({ record, refusal }: Answer): Refusal | undefined {
    if (refusal === undefined) return undefined;
    const { channelId } = record;
    if (REASONS[refusal.reason].retry === "sameBytes") return refusal;
    if (refusal.reason === "channelUnknown") {
      if (this.#watchedMeanwhile.has(channelId)) return undefined;
      this.#waiting.delete(keyOf(record));
      const others = this.#unwatched.get(channelId) ?? [];
      this.#unwatched.set(channelId, [...others, record]);
      return undefined;
    }
    this.#settle(record);
    const { host, identity } = this.#context;
    host.preimageRefused(identity, record, refusal);
    return undefined;
  }

  #settle(record: StoredPreimage): void {
    this.#waiting.delete(keyOf(record));
    this.#answered.add(keyOf(record));
  }
}
