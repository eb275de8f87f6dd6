/** OpenNodeSession: the certificate decides whose session it is; the message must agree with it. */
import { fail, fixed, fixedHex } from "@farwatch/protocol/convert/reader";
import {
  ManagerServiceService as Service,
  Role,
  type OpenNodeSessionRequest,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import { refuse } from "@farwatch/protocol/reasons";
import { err } from "@farwatch/protocol/result";
import type { RpcContext } from "./admission.js";
import { MAX_STATE_REQUEST_BYTES } from "./limits.js";
import { shortText } from "./text.js";
import { unary, type Rpc } from "./unary.js";

const NODE_KEY_BYTES = 33;

export const openNodeSession = (context: RpcContext): Rpc =>
  unary(context, {
    method: Service.openNodeSession,
    needsSession: false,
    // Names every channel of the node, about 60 bytes each.
    maxBytes: MAX_STATE_REQUEST_BYTES,
    serve(who, request) {
      checkFields(request);
      if (fixedHex(request.nodeKey, NODE_KEY_BYTES, "node_key") !== who.nodeKey) {
        return err(refuse("notYourChannel", "the certificate belongs to another node"));
      }
      return context.host.openSession(who, request);
    },
  });

function checkFields({ role, channels, ldkVersion }: OpenNodeSessionRequest): void {
  if (ldkVersion !== undefined) shortText(ldkVersion, "ldk_version");
  for (const [index, channel] of channels.entries()) {
    fixed(channel.channelId, 32, `channels[${index}].channel_id`);
  }
  switch (role) {
    case Role.MANAGER_RESOLVES:
    case Role.NODE_RESOLVES:
    case Role.OBSERVE:
      return;
    case Role.UNSPECIFIED:
    default:
      return fail("unknownRole", "role", "expected one of the three roles");
  }
}
