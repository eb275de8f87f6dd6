/** PutPreimages of the scripted monitor: verifies, keeps hashes in memory, misbehaves where told. */
import { refusalToDetail } from "@farwatch/protocol/convert/error";
import { openPreimageBatch } from "@farwatch/protocol/envelope/open-manager-batch";
import { encodeReceiptBatch, hashReceiptBatch } from "@farwatch/protocol/envelope/receipt-batch";
import { signDigest } from "@farwatch/protocol/envelope/sign";
import type {
  PutPreimagesRequest,
  PutPreimagesResponse,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { preimage, type ChannelId, type Hash32, type PaymentHash } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import * as fixtures from "./fixtures.js";

export class ScriptedPreimages {
  /** Of every call that could be read: what its records were. */
  readonly calls: (readonly {
    readonly channelId: ChannelId;
    readonly paymentHash: PaymentHash;
  }[])[] = [];
  readonly epochs: bigint[] = [];
  readonly known = new Set<PaymentHash>();
  /** Of a whole call, and of one record. */
  refuseCall: Refusal | undefined;
  refuseRecord: (hash: PaymentHash) => Refusal | undefined = () => undefined;
  /** Key that signs receipts. */
  secret: Uint8Array = fixtures.MONITOR_SECRET;
  /** Changes the answer last. */
  tamper: (response: PutPreimagesResponse) => PutPreimagesResponse = (response) => response;
  /** Answers wait for it. */
  held: Promise<void> = Promise.resolve();

  constructor(readonly watches: (channelId: ChannelId) => boolean) {}

  async put(request: PutPreimagesRequest): Promise<Result<PutPreimagesResponse, Refusal>> {
    const who = { managerKey: fixtures.MANAGER_KEY, chainHash: fixtures.CHAIN };
    const records = request.records.map((record) => ({
      header: record.header,
      preimage: preimage(Uint8Array.from(record.preimage)),
    }));
    const opened = openPreimageBatch(fixtures.CURVE, who, { ...request, records });
    if (!opened.ok) return opened;
    const items = opened.value.items.map((item) => {
      if (!item.ok) throw new Error(`a record does not open: ${item.error.message}`);
      return item.value;
    });
    this.calls.push(
      items.map(({ header: { channelId, paymentHash } }) => ({ channelId, paymentHash })),
    );
    this.epochs.push(opened.value.batch.epoch);
    const refusals = items.map(({ header }) => this.#judge(header.channelId, header.paymentHash));
    await this.held;
    if (this.refuseCall !== undefined) return err(this.refuseCall);
    const stored = items.filter((_, index) => refusals[index] === undefined);
    for (const { header } of stored) this.known.add(header.paymentHash);
    const results = items.map(({ header }, index) => {
      const refusal = refusals[index];
      const error = refusal === undefined ? undefined : refusalToDetail(refusal);
      return {
        channelId: fixtures.bytesOf(header.channelId),
        paymentHash: fixtures.bytesOf(header.paymentHash),
        error,
      };
    });
    return ok(this.tamper({ results, ...this.#receipt(stored.map(({ hash }) => hash)) }));
  }

  #judge(channelId: ChannelId, hash: PaymentHash): Refusal | undefined {
    const scripted = this.refuseRecord(hash);
    if (scripted !== undefined) return scripted;
    return this.watches(channelId) ? undefined : refuse("channelUnknown", "not watched");
  }

  #receipt(hashes: readonly Hash32[]) {
    if (hashes.length === 0) {
      return { receiptHeader: Buffer.alloc(0), receiptSignature: Buffer.alloc(0) };
    }
    const { CHAIN: chainHash, MONITOR_KEY: monitorKey, STORE_ID: storeId } = fixtures;
    const header = encodeReceiptBatch({ chainHash, monitorKey, storeId, hashes });
    const digest = hashReceiptBatch(header);
    const signature = signDigest(fixtures.CURVE, this.secret, digest, fixtures.AUXILIARY);
    return { receiptHeader: Buffer.from(header), receiptSignature: Buffer.from(signature) };
  }
}
