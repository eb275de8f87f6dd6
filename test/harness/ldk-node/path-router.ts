/**
 * A Router that takes the path it is told for each payment, so that a test with many channels between two
 * nodes decides which one carries an HTLC and when it expires. Without instructions there is no route.
 */
import { must } from "@farwatch/protocol/assert";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import type { Router, RouteHop, RouteParameters } from "lightningdevkit";
import { ldk } from "../../fixture-recorder/ldk/module.js";
import { FORWARD_CLTV_DELTA, FORWARD_FEE_MSAT, type PayAsk } from "./protocol.js";

export type PathAsk = Pick<PayAsk, "path" | "msat" | "finalDelta">;

export class PathRouter {
  readonly #asks = new Map<string, PathAsk>();
  readonly router: Router;

  constructor() {
    const none = () => noRoute("this router needs to know the payment");
    this.router = ldk.Router.new_impl({
      find_route: none,
      find_route_with_id: (_payer, parameters, _first, _inflight, hash) => {
        const ask = this.#asks.get(toHex(hash));
        return ask === undefined ? none() : routeOf(ask, parameters);
      },
      create_blinded_payment_paths: () =>
        ldk.Result_CVec_BlindedPaymentPathZNoneZ.constructor_err(),
    });
  }

  take(paymentHash: string, ask: PathAsk): void {
    this.#asks.set(paymentHash, ask);
  }
}

const noRoute = (why: string) =>
  ldk.Result_RouteLightningErrorZ.constructor_err(
    ldk.LightningError.constructor_new(why, ldk.ErrorAction.constructor_ignore_error()),
  );

function routeOf({ path, msat, finalDelta }: PathAsk, parameters: RouteParameters) {
  const hops = path.map(({ nodeId, scid }, index): RouteHop => {
    const isLast = index === path.length - 1;
    return ldk.RouteHop.constructor_new(
      fromHex(nodeId),
      ldk.NodeFeatures.constructor_empty(),
      scid,
      ldk.ChannelFeatures.constructor_empty(),
      isLast ? msat : FORWARD_FEE_MSAT,
      isLast ? finalDelta : FORWARD_CLTV_DELTA,
      false,
    );
  });
  must(hops.at(-1), "a hop");
  const route = ldk.Route.constructor_new([ldk.Path.constructor_new(hops, null)], parameters);
  return ldk.Result_RouteLightningErrorZ.constructor_ok(route);
}
