/** What the RPC layer makes of ClaimPayment, HtlcFulfilled and ListForwards before the host sees them. */
import assert from "node:assert/strict";
import { fromHex } from "@farwatch/protocol/bytes";
import { ForwardState } from "@farwatch/protocol/gen/manager/v1/manager_service";
import { ok } from "@farwatch/protocol/result";
import { MAX_CLAIM_PARTS } from "@farwatch/manager-service/rpc/limits";
import {
  Bench,
  call,
  CHANNEL,
  createCertificates,
  failureIn,
  sessionMetadata,
  type Certificates,
} from "./manager-rpc-bench.js";

const HASH = "07".repeat(32);
const buffer = (hex: string): Buffer => Buffer.from(fromHex(hex));
const part = (id: number) => ({
  channelId: buffer(CHANNEL),
  htlcId: BigInt(id),
  amountMsat: 5n,
  userChannelId: undefined,
});
const claim = (parts: readonly ReturnType<typeof part>[]) => ({
  paymentHash: buffer(HASH),
  preimage: Buffer.alloc(32, 1),
  parts: [...parts],
});

describe("RPCs about HTLCs", () => {
  let certificates: Certificates;
  let bench: Bench;

  before(async () => {
    certificates = await createCertificates();
  });
  beforeEach(() => {
    bench = new Bench(certificates);
  });
  afterEach(() => bench.close());

  it("ClaimPayment names each part once, up to the limit", async () => {
    const asked: number[] = [];
    const client = await bench.open({
      claimPayment(_who, { parts }) {
        asked.push(parts.length);
        return Promise.resolve(ok(undefined));
      },
    });
    const meta = sessionMetadata();
    const many = Array.from({ length: MAX_CLAIM_PARTS + 1 }, (_, id) => part(id));
    await call((done) => client.claimPayment(claim(many.slice(1)), meta, done));
    assert.deepEqual(asked, [MAX_CLAIM_PARTS]);
    const tooMany = await failureIn((done) => client.claimPayment(claim(many), meta, done));
    assert.equal(tooMany.refusal?.reason, "tooLarge");
    const twice = claim([part(1), part(1)]);
    const refused = await failureIn((done) => client.claimPayment(twice, meta, done));
    assert.equal(refused.refusal?.details["field"], "parts[1]");
    const unnamed = { ...claim([]), parts: [{ ...part(1), htlcId: undefined }] };
    const missing = await failureIn((done) => client.claimPayment(unnamed, meta, done));
    assert.equal(missing.refusal?.details["field"], "parts[0].htlc_id");
    assert.equal(asked.length, 1);
  });

  it("HtlcFulfilled needs 32 bytes each, and hands a skimmed fee on", async () => {
    const asked: unknown[] = [];
    const client = await bench.open({
      htlcFulfilled(_who, request) {
        asked.push(request);
        return Promise.resolve(ok(undefined));
      },
    });
    const meta = sessionMetadata();
    const preimage = Buffer.alloc(32, 2);
    const named = {
      channelId: buffer(CHANNEL),
      sourceKey: buffer(HASH),
      skimmedFeeMsat: 20n,
      attributionData: Buffer.from("01", "hex"),
    };
    await call((done) => client.htlcFulfilled({ ...named, preimage }, meta, done));
    assert.deepEqual(asked, [
      {
        channelId: CHANNEL,
        sourceKey: HASH,
        preimage: Uint8Array.from(preimage),
        skimmedFeeMsat: 20n,
        attributionData: Uint8Array.of(1),
      },
    ]);
    const short = { ...named, preimage: preimage.subarray(1) };
    const refused = await failureIn((done) => client.htlcFulfilled(short, meta, done));
    assert.equal(refused.refusal?.reason, "wrongLength");
  });

  it("ListForwards pages by the key of the last entry", async () => {
    const key = `${HASH}/${CHANNEL}/${"0".repeat(20)}`;
    const forward = {
      paymentHash: buffer(HASH),
      state: ForwardState.PENDING,
      prev: [],
      next: [],
      intercepted: false,
      trampoline: false,
      claimFromOnchain: false,
      skimmedFeeMsat: undefined,
      whyUnresolved: undefined,
    };
    const asked: (string | undefined)[] = [];
    const client = await bench.open({
      forwards(_who, after) {
        asked.push(after);
        return Promise.resolve([{ key, forward }]);
      },
    });
    const meta = sessionMetadata();
    const first = { pageSize: 1, pageToken: Buffer.alloc(0) };
    const page = await call<{ readonly nextPageToken: Buffer }>((done) =>
      client.listForwards(first, meta, done),
    );
    const second = { pageSize: 1, pageToken: page.nextPageToken };
    await call((done) => client.listForwards(second, meta, done));
    assert.deepEqual(asked, [undefined, key]);
    const foreign = { pageSize: 1, pageToken: Buffer.from("elsewhere") };
    const refused = await failureIn((done) => client.listForwards(foreign, meta, done));
    assert.equal(refused.refusal?.details["field"], "page_token");
  });
});
