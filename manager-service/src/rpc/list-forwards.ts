/** ListForwards: pages in the order of payment hash and smallest inbound HTLC, which is also the token. */
import { fail } from "@farwatch/protocol/convert/reader";
import { ManagerServiceService as Service } from "@farwatch/protocol/gen/manager/v1/manager_service";
import { ok } from "@farwatch/protocol/result";
import type { RpcContext } from "./admission.js";
import { nextToken, pageLimit, type PageRequest } from "./page.js";
import { unary, type Rpc } from "./unary.js";

/** Two ids as hex, a slash, a slash and twenty digits; see rowKeys.inbound. */
const TOKEN = /^[0-9a-f]{64}\/[0-9a-f]{64}\/[0-9]{20}$/;

export const listForwards = (context: RpcContext): Rpc =>
  unary(context, {
    method: Service.listForwards,
    async serve(who, request) {
      const limit = pageLimit(request);
      const found = await context.host.forwards(who, start(request), limit);
      return ok({
        forwards: found.map(({ forward }) => forward),
        nextPageToken: nextToken(found, limit, ({ key }) => Buffer.from(key, "ascii")),
      });
    },
  });

function start({ pageToken }: PageRequest): string | undefined {
  if (pageToken.length === 0) return undefined;
  const key = Buffer.from(pageToken).toString("ascii");
  return TOKEN.test(key) ? key : fail("malformed", "page_token", "not a token of this list");
}
