/**
 * SignBump: a wallet of the manager answers a bump request. Not an update: nothing about the channel
 * changes but which transaction of ours is out. The transaction is durable before it is sent.
 */
import { checkEpoch } from "@farwatch/protocol/envelope/checks";
import type { Txid } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, type Result } from "@farwatch/protocol/result";
import { ChainUnavailable } from "../chain/chain-source.js";
import { findOwn } from "./channel-views.js";
import { currentEpoch, type Core } from "./core.js";
import type { BumpAnswer, Principal } from "./monitor-host.js";

export async function signBump(
  core: Core,
  who: Principal,
  answer: BumpAnswer,
): Promise<Result<Txid, Refusal>> {
  const found = findOwn(core, who, answer.channelId);
  if (!found.ok) return found;
  const fenced = checkEpoch(answer.epoch, currentEpoch(core, who));
  if (fenced !== undefined) return err(fenced);
  if (core.deps.asksManagers !== true) {
    return err(refuse("notConfigured", "fees.wallet is not events: this host pays by itself"));
  }
  try {
    return await core.publisher.answer(found.value, answer);
  } catch (error) {
    if (!(error instanceof ChainUnavailable)) throw error;
    return err(refuse("chainBehind", "bitcoind does not answer: send the same again"));
  }
}
