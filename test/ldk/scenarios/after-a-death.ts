/** What scenarios do when a node has died in the middle of something. */
import { until } from "../../harness/cluster/chain-facts.js";
import type { Lane, Payment } from "../../harness/ldk-node/lane.js";
import { NodeDied } from "../../harness/ldk-node/ldk-process.js";

/** The node's process and its connections, as they were before it died. */
export async function returns(lane: Lane, name: string, peers: readonly string[]): Promise<void> {
  await lane.pace.together(`${name} returns`, async () => {
    const node = lane.node(name);
    await node.kill9();
    await node.start();
    for (const peer of peers) await lane.world.connect(name, peer);
  });
}

/** A payment that died with its sender before a save is sent again; the payment id makes that safe (R10). */
export async function sendAgainIfForgotten(lane: Lane, payment: Payment): Promise<void> {
  const { pendingPayments } = await lane.node(payment.from).state();
  if (pendingPayments.includes(payment.hash)) return;
  for (const type of ["PaymentSent", "PaymentFailed"]) {
    if (await lane.told(payment.from, type, payment)) return;
  }
  await lane.send(payment);
}

/** The answer may die with the process. */
export async function sendOrDie(lane: Lane, payment: Payment): Promise<void> {
  await lane.send(payment).catch((error: unknown) => {
    if (!(error instanceof NodeDied)) throw error;
  });
}

/**
 * Settled, or failed without ever reaching the payee, as when it was sent to a node that is dead. True: settled.
 */
export async function resolved(lane: Lane, payment: Payment): Promise<boolean> {
  const { from, to, hash, legs } = payment;
  await until(`payment ${hash} is over for ${from}`, async () => {
    return (
      (await lane.told(from, "PaymentSent", payment)) ||
      (await lane.told(from, "PaymentFailed", payment))
    );
  });
  if (await lane.told(from, "PaymentSent", payment)) {
    await lane.settled(payment);
    return true;
  }
  await lane.quiet(legs.map(({ channel }) => channel));
  await lane.once(from, "PaymentFailed", { payment_hash: hash });
  await lane.never(to, "PaymentClaimed", { payment_hash: hash });
  return false;
}
