/** For tests: a sink in memory that keeps the ring and checks the order of what it is given. */
import assert from "node:assert/strict";
import type { BlockPoint } from "@farwatch/protocol/block";
import type { BlockHeader } from "../chain-source.js";
import { HEADER_RING_SIZE } from "../follow-chain.js";
import type { ChainSink } from "../follower.js";
import type { VerifiedBlock } from "../verify-block.js";

export class RecordingSink implements ChainSink {
  /** "+height" per connected block and "-height" per fork point. */
  readonly steps: string[] = [];
  /** How often it was told that the chain is synced. */
  syncs = 0;
  /** Blocks now connected, by height; ends at the tip. */
  readonly blocks = new Map<number, VerifiedBlock>();
  /** Called inside every step, before it is recorded. */
  onStep: () => Promise<void> = async () => undefined;
  #busy = false;
  #ring: readonly BlockHeader[];

  constructor(ring: readonly BlockHeader[]) {
    this.#ring = ring;
  }

  get tip(): BlockHeader {
    const [tip] = this.#ring;
    assert.ok(tip);
    return tip;
  }

  tipRing(): readonly BlockHeader[] {
    return this.#ring;
  }

  disconnected(forkPoint: BlockPoint): Promise<void> {
    return this.#step(`-${forkPoint.height}`, () => {
      const at = this.#ring.findIndex(({ hash }) => hash === forkPoint.hash);
      assert.ok(at > 0, "the fork point is one of ours, below the tip");
      for (const { height } of this.#ring.slice(0, at)) this.blocks.delete(height);
      this.#ring = this.#ring.slice(at);
    });
  }

  connected(block: VerifiedBlock): Promise<void> {
    return this.#step(`+${block.header.height}`, () => {
      assert.equal(block.header.previousHash, this.tip.hash);
      assert.equal(block.header.height, this.tip.height + 1);
      this.blocks.set(block.header.height, block);
      this.#ring = [block.header, ...this.#ring].slice(0, HEADER_RING_SIZE);
    });
  }

  synced(): void {
    this.syncs++;
  }

  async #step(name: string, apply: () => void): Promise<void> {
    assert.equal(this.#busy, false, "one step at a time");
    this.#busy = true;
    await this.onStep();
    apply();
    this.steps.push(name);
    this.#busy = false;
  }
}
