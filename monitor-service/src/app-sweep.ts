/**
 * Where own outputs are swept, from the configuration. A destination that bitcoind refuses ends the start;
 * one that it cannot judge now is asked about again when something is to be swept.
 */
import { BitcoindDestination } from "./chain/bitcoind-destination.js";
import type { BitcoindRpc } from "./chain/bitcoind-rpc.js";
import { SweepDestinationInvalid } from "./chain/sweep-destination.js";
import { ConfigError } from "./config-error.js";
import type { SweepOptions } from "./config.js";
import type { Log } from "./observe/log.js";
import type { SweepConfig } from "./runtime/deps.js";
import { causeOf } from "./runtime/error-cause.js";

const FIRST_SWEEP = 1;

/** Throws ConfigError `sweep.address` or `sweep.descriptor`. */
export async function openSweep(
  options: SweepOptions | undefined,
  rpc: Pick<BitcoindRpc, "call">,
  log: Log,
): Promise<SweepConfig | undefined> {
  if (options === undefined) return undefined;
  const destination = new BitcoindDestination(rpc, options.destination);
  try {
    await destination.script(FIRST_SWEEP);
  } catch (error) {
    if (error instanceof SweepDestinationInvalid) {
      throw new ConfigError(`sweep.${options.destination.kind}`, error.message);
    }
    log.warn({ cause: causeOf(error) }, "the sweep destination cannot be checked now");
  }
  return { destination, everyBlocks: options.everyBlocks };
}
