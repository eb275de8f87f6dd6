/** Text a person typed: bounded in bytes, because it is stored and shown. */
import { utf8 } from "@farwatch/protocol/bytes";
import { fail } from "@farwatch/protocol/convert/reader";
import { MAX_REASON_TEXT } from "./limits.js";

/** The text itself. Throws WireError `tooLarge` above MAX_REASON_TEXT bytes of UTF-8. */
export function shortText(text: string, field: string): string {
  return utf8(text).length > MAX_REASON_TEXT
    ? fail("tooLarge", field, `more than ${MAX_REASON_TEXT} bytes`)
    : text;
}
