/**
 * What an operator hands over on the monitor's own host: JSON with the five secrets of each channel.
 * Checked as a whole before anything is stored; errors name channel and field, never a value.
 */
import { z } from "zod";
import { fromHex } from "@farwatch/protocol/bytes";
import type { Curve } from "@farwatch/protocol/curve/curve";
import type { ChannelSecrets } from "./derive-keys.js";
import { MAX_STORED_CHANNELS, sameSecrets, type StoredChannels } from "./stored-keys.js";

/** Bytes of an import file; about 500 for each channel. */
export const MAX_IMPORT_BYTES = 8 * 1024 * 1024;

export class ImportError extends Error {
  override readonly name = "ImportError";
}

const hex32 = z.string().regex(/^[0-9a-f]{64}$/);
const Channel = z.strictObject({
  channel_keys_id: hex32,
  funding_secret: hex32,
  revocation_base_secret: hex32,
  payment_secret: hex32,
  delayed_payment_base_secret: hex32,
  htlc_base_secret: hex32,
});
const Import = z.strictObject({ channels: z.array(Channel).min(1) });

type Row = z.output<typeof Channel>;
const SECRET_FIELDS = [
  "funding_secret",
  "revocation_base_secret",
  "payment_secret",
  "delayed_payment_base_secret",
  "htlc_base_secret",
] as const satisfies readonly (keyof Row)[];

/** The channels of `text`, by channel_keys_id. Throws ImportError. */
export function parseImport(curve: Curve, text: string): StoredChannels {
  const parsed = Import.safeParse(readJson(text));
  if (!parsed.success) {
    const path = parsed.error.issues[0]?.path.map(String).join(".") ?? "";
    const where = path === "" ? "" : `${path}: `;
    throw new ImportError(
      `${where}not understood; secrets and ids are 64 lowercase hex characters`,
    );
  }
  const channels = new Map<string, ChannelSecrets>();
  for (const [index, row] of parsed.data.channels.entries()) {
    const bad = SECRET_FIELDS.find((field) => !curve.isSecret(fromHex(row[field])));
    if (bad !== undefined) throw new ImportError(`channels.${index}.${bad}: no valid secret`);
    if (channels.has(row.channel_keys_id)) {
      throw new ImportError(`channels.${index}.channel_keys_id: given twice`);
    }
    channels.set(row.channel_keys_id, secretsOf(row));
  }
  return channels;
}

const secretsOf = (row: Row): ChannelSecrets => ({
  funding: fromHex(row.funding_secret),
  revocationBase: fromHex(row.revocation_base_secret),
  payment: fromHex(row.payment_secret),
  paymentV2: undefined,
  delayedPaymentBase: fromHex(row.delayed_payment_base_secret),
  htlcBase: fromHex(row.htlc_base_secret),
});

/** The parser's own message quotes what it read: it is not passed on. */
function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ImportError("not JSON");
  }
}

export interface Merged {
  readonly channels: StoredChannels;
  readonly added: readonly string[];
}

/** What is held already stays; other secrets under a known id are refused. Throws ImportError. */
export function mergeChannels(held: StoredChannels, given: StoredChannels): Merged {
  const channels = new Map(held);
  const added: string[] = [];
  for (const [id, secrets] of given) {
    const known = held.get(id);
    if (known !== undefined && !sameSecrets(known, secrets)) {
      throw new ImportError(`channel_keys_id ${id}: other secrets are stored under it`);
    }
    if (known !== undefined) continue;
    channels.set(id, secrets);
    added.push(id);
  }
  if (channels.size > MAX_STORED_CHANNELS) {
    throw new ImportError(`more than ${MAX_STORED_CHANNELS} channels`);
  }
  return { channels, added };
}
