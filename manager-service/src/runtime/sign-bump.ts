/**
 * SignBump: a wallet's answer goes to the monitor that asked, and its verdict comes back as it is. Refusals
 * about the session between manager and monitor are not the node's: `fenced`, say, would tell it to stop.
 */
import type { Txid } from "@farwatch/protocol/ids";
import { refuse, type Reason, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { ChannelRow } from "../manager/rows.js";
import type { BumpAnswer, MonitorLink } from "../monitors/monitor-link.js";

/** What a monitor says of its manager, not of the answer. */
const ABOUT_THE_MANAGER: ReadonlySet<Reason> = new Set([
  "fenced",
  "sessionNotOpen",
  "notYourChannel",
  "channelUnknown",
]);

/** The caller has checked that the channel is the node's. */
export async function signBump(
  links: readonly MonitorLink[],
  { requiredMonitors }: ChannelRow,
  monitor: string,
  answer: BumpAnswer,
): Promise<Result<Txid, Refusal>> {
  const link = links.find(({ name }) => name === monitor);
  if (link === undefined || !requiredMonitors.includes(link.monitorKey)) {
    return err(refuse("claimUnknown", "no monitor of this name watches the channel", { monitor }));
  }
  const signed = await link.signBump(answer);
  return signed.ok ? ok(signed.value) : err(forNode(monitor, signed.error));
}

function forNode(monitor: string, { reason, message, details }: Refusal): Refusal {
  if (!ABOUT_THE_MANAGER.has(reason)) return { reason, message, details: { ...details, monitor } };
  const why = { monitor, cause: reason };
  return refuse("monitorUnreachable", "the monitor does not take it from this manager", why);
}
