/**
 * PORT: signs digests with one channel's keys. Implementations alone hold secrets; nothing they throw
 * or log may contain one. Signatures are RFC 6979, so the same task always gives the same bytes.
 */
import type { ChannelPubkeys } from "@farwatch/protocol/channel";
import type { Txid } from "@farwatch/protocol/ids";
import type { SigningTask } from "../monitor/effect.js";

export interface ChannelSigner {
  /**
   * Public keys this host derives for a channel_keys_id (32 bytes), with the funding key of a splice of
   * `spliceParent`; compared at WatchChannel and at every splice.
   */
  pubkeys(channelKeysId: Uint8Array, spliceParent?: Txid): ChannelPubkeys;
  /** 64-byte compact signatures, one per task, in order. */
  sign(channelKeysId: Uint8Array, tasks: readonly SigningTask[]): readonly Uint8Array[];
}
