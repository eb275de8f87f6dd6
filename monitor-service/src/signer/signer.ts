/**
 * PORT: signs digests with one channel's keys. Implementations alone hold secrets; nothing they throw
 * or log may contain one. Signatures are RFC 6979, so the same task always gives the same bytes.
 */
import type { ChannelPubkeys } from "@farwatch/protocol/channel";
import type { Txid } from "@farwatch/protocol/ids";
import type { SigningTask } from "../monitor/effect.js";

/** Public keys this host holds for a channel; its payment point may be any of those listed. */
export interface HostPubkeys extends Omit<ChannelPubkeys, "paymentPoint"> {
  readonly paymentPoints: readonly Uint8Array[];
}

export interface ChannelSigner {
  /**
   * For a channel_keys_id (32 bytes), with the funding key of a splice of `spliceParent`; compared at
   * WatchChannel and at every splice. undefined: no keys are held for it.
   */
  pubkeys(channelKeysId: Uint8Array, spliceParent?: Txid): HostPubkeys | undefined;
  /**
   * 64-byte compact signatures, one per task, in order: all or none. Throws SigningRefused when one is
   * for a commitment of ours whose secret may be out.
   */
  sign(channelKeysId: Uint8Array, tasks: readonly SigningTask[]): readonly Uint8Array[];
}
