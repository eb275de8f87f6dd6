/**
 * One network graph and router for all nodes of a process: each takes tens of megabytes of WASM memory, and
 * the bindings break above 2 GiB (ldk-lab restart.md 7.6).
 */
import type { KeysManager, Logger, MessageRouter, Router } from "lightningdevkit";
import { ldk } from "../../fixture-recorder/ldk/module.js";

interface Shared {
  readonly router: Router;
  readonly messageRouter: MessageRouter;
  /** Not used again, only kept from the garbage collector. */
  readonly alive: readonly object[];
}
let shared: Shared | undefined;

export function routing(log: Logger, keys: KeysManager): Shared {
  shared ??= build(log, keys);
  return shared;
}

function build(log: Logger, keys: KeysManager): Shared {
  const entropy = keys.as_EntropySource();
  const graph = ldk.NetworkGraph.constructor_new(ldk.Network.LDKNetwork_Regtest, log);
  const decay = ldk.ProbabilisticScoringDecayParameters.constructor_default();
  const scorer = ldk.ProbabilisticScorer.constructor_new(decay, graph, log);
  const scores = ldk.MultiThreadedLockableScore.constructor_new(scorer.as_Score());
  const scoring = ldk.ProbabilisticScoringFeeParameters.constructor_default();
  const lockable = scores.as_LockableScore();
  const router = ldk.DefaultRouter.constructor_new(graph, log, entropy, lockable, scoring);
  const messageRouter = ldk.DefaultMessageRouter.constructor_new(graph, entropy);
  return {
    router: router.as_Router(),
    messageRouter: messageRouter.as_MessageRouter(),
    alive: [entropy, graph, scorer, scores, lockable, router, messageRouter, log, keys],
  };
}
