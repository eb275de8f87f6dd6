/** The answers of Done. Which of them fits which item is the core's to judge. */
import { assertNever } from "@farwatch/protocol/assert";
import { fail, present } from "@farwatch/protocol/convert/reader";
import {
  CommandResult as WireResult,
  type DoneItem,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import type { CommandResult, DoneAnswer } from "../manager/input.js";

/** Throws WireError: malformed (no answer, or a command result that is none). */
export function readAnswer(given: DoneItem["answer"], field: string): DoneAnswer {
  const answer = present(given, field);
  switch (answer.$case) {
    case "handled":
    case "retrying":
      return { kind: answer.$case };
    case "abandon":
      return { kind: "abandon", reason: answer.value.reason };
    case "probeOk":
      return { kind: "probe", succeeded: true };
    case "probeFailed":
      return { kind: "probe", succeeded: false };
    case "commandResult":
      return { kind: "command", result: readResult(answer.value, `${field}.command_result`) };
    default:
      return assertNever(answer);
  }
}

function readResult(result: WireResult, field: string): CommandResult {
  switch (result) {
    case WireResult.SENT:
      return "sent";
    case WireResult.QUEUED:
      return "queued";
    case WireResult.ALREADY_REMOVING:
      return "alreadyRemoving";
    case WireResult.NOT_FOUND:
      return "notFound";
    case WireResult.CHANNEL_CLOSED:
      return "channelClosed";
    case WireResult.UNSPECIFIED:
    default:
      return fail("malformed", field, "not a known result");
  }
}
