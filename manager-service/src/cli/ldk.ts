/** `farwatch ldk decode | encode`: LDK's own bytes as JSON for people, and back. */
import { Argument, Command, Option } from "commander";
import {
  decodeDocument,
  describeDocumentFailure,
  DOCUMENT_TYPES,
  encodeDocument,
  isDocumentType,
} from "@farwatch/protocol/ldk/documents";
import { toHex } from "@farwatch/protocol/bytes";
import type { Json } from "@farwatch/protocol/ldk/json";
import { CliError } from "./cli-error.js";
import { bytesOfInput, readInput } from "./input.js";

const SECRETS = `
What is printed is secret: monitors and updates hold payment preimages, revocation secrets and session keys.
Keep it out of logs and bug reports.`;

const RECOGNISED = `
Types: ${DOCUMENT_TYPES.join(", ")}.
Without --type the input is what the one reader says that uses up all of its bytes. storedMonitor is a
monitor as LDK's MonitorUpdatingPersister keeps it, with two bytes ff in front.`;

export function ldkCommand(): Command {
  const ldk = new Command("ldk")
    .description("look into the bytes of LDK's monitors, updates and events")
    .exitOverride();
  return ldk.addCommand(decodeCommand()).addCommand(encodeCommand());
}

const fileArgument = (what: string): Argument =>
  new Argument("<file>", `${what}; - for standard input`);

const decodeCommand = (): Command =>
  new Command("decode")
    .description("print what LDK wrote as JSON")
    .addArgument(fileArgument("binary, or hex with any white space"))
    .addOption(new Option("--type <type>", "what it is").choices(DOCUMENT_TYPES))
    .addHelpText("after", RECOGNISED)
    .addHelpText("after", SECRETS)
    .exitOverride()
    .action(async (file: string, { type }: { readonly type?: string }) => {
      const bytes = bytesOfInput(await readInput(file));
      const named = type !== undefined && isDocumentType(type) ? type : undefined;
      const decoded = decodeDocument(bytes, named);
      if (!decoded.ok) throw new CliError(`${file}: ${describeDocumentFailure(decoded.error)}`);
      process.stdout.write(`${JSON.stringify(decoded.value, null, 2)}\n`);
    });

const encodeCommand = (): Command =>
  new Command("encode")
    .description("print the bytes of what decode printed")
    .addArgument(fileArgument("JSON as decode prints it, changed or not"))
    .option("--binary", "the bytes themselves instead of hex")
    .addHelpText("after", SECRETS)
    .exitOverride()
    .action(async (file: string, { binary }: { readonly binary?: boolean }) => {
      const encoded = encodeDocument(parse(file, await readInput(file)));
      if (!encoded.ok) throw new CliError(`${file}: ${describeDocumentFailure(encoded.error)}`);
      process.stdout.write(binary === true ? encoded.value : `${toHex(encoded.value)}\n`);
    });

/** The parser's own message quotes the text around the fault: it is not told. */
function parse(file: string, input: Uint8Array): Json {
  try {
    return JSON.parse(Buffer.from(input).toString("utf8")) as Json; // what JSON.parse gives is Json
  } catch (error) {
    const at = /position (\d+)/.exec(error instanceof Error ? error.message : "")?.[1];
    throw new CliError(`${file}: not JSON${at === undefined ? "" : ` at character ${at}`}`);
  }
}
