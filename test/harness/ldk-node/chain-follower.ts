/** Follows bitcoind's best chain by polling, block by block, and takes blocks back that left it. */
import { fromHex, reversed, toHex } from "@farwatch/protocol/bytes";
import { BitcoindRpc } from "@farwatch/monitor-service/chain/bitcoind-rpc";
import type { BestBlock } from "lightningdevkit";
import { z } from "zod";
import type { Login } from "../../fixture-recorder/chain/sync-rpc.js";

const POLL_MS = 250;

const Text = z.string();
const Header = z.object({ height: z.number(), confirmations: z.number(), previousblockhash: Text });

export interface ChainListener {
  tip(): BestBlock;
  connect(raw: Uint8Array, height: number): void;
  disconnect(header: Uint8Array, height: number): void;
}

export class ChainFollower {
  readonly #rpc: BitcoindRpc;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor({ url, user, password }: Login) {
    this.#rpc = new BitcoindRpc({ url, auth: { kind: "password", user, password } });
  }

  async tip(): Promise<{ readonly hash: string; readonly height: number; readonly time: number }> {
    const hash = Text.parse(await this.#rpc.call("getbestblockhash"));
    const form = z.object({ height: z.number(), time: z.number() });
    return { hash, ...form.parse(await this.#rpc.call("getblockheader", [hash])) };
  }

  async blockAt(height: number): Promise<string> {
    const hash = await this.#rpc.call("getblockhash", [height]);
    return Text.parse(await this.#rpc.call("getblock", [hash, 0]));
  }

  start(listener: ChainListener, failed: (error: unknown) => void): void {
    this.#timer = setInterval(() => void this.follow(listener).catch(failed), POLL_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Resolves when the listener has bitcoind's best block of some moment after the call. */
  follow(listener: ChainListener): Promise<void> {
    this.#running = this.#running.then(() => this.#catchUp(listener));
    return this.#running;
  }

  async #catchUp(listener: ChainListener): Promise<void> {
    const best = Text.parse(await this.#rpc.call("getbestblockhash"));
    if (hashOf(listener.tip()) === best) return;
    await this.#leaveStaleBlocks(listener);
    const { height } = Header.partial({ previousblockhash: true }).parse(
      await this.#rpc.call("getblockheader", [best]),
    );
    for (let next = listener.tip().get_height() + 1; next <= height; next++) {
      listener.connect(fromHex(await this.blockAt(next)), next);
    }
  }

  async #leaveStaleBlocks(listener: ChainListener): Promise<void> {
    for (;;) {
      const tip = listener.tip();
      const hash = hashOf(tip);
      const header = Header.parse(await this.#rpc.call("getblockheader", [hash]));
      if (header.confirmations >= 0) return;
      const raw = Text.parse(await this.#rpc.call("getblockheader", [hash, false]));
      listener.disconnect(fromHex(raw), tip.get_height());
    }
  }
}

const hashOf = (block: BestBlock): string => toHex(reversed(block.get_block_hash()));
