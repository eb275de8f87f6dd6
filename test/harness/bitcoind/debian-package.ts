/**
 * bitcoind out of Debian's bitcoin-knots package: apt fetches it with its libraries into a private
 * folder, they are unpacked there and run through the unpacked loader, so the system's own libraries do
 * not matter. Options are laid on top of the machine's apt configuration, never in place of it, because
 * that configuration knows the proxy and what this machine accepts. Signatures are always checked.
 */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { withLock } from "./lock.js";
import type { BitcoindProgram } from "./program.js";

const PACKAGE = "bitcoin-knots";
const SUITE = "forky";
/** Raised when what is inside an unpacked folder changes. */
const LAYOUT = "debian-1";
/** Where debian-archive-keyring puts it; newer Debians trust it only when named. */
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const APT_TIMEOUT_MS = 240_000;
const HELP = "install bitcoind (Bitcoin Core >= 29 or Knots >= 29) or set BITCOIND to its path";

const run = promisify(execFile);

/** Takes seconds the first time, nothing after that. Throws an Error that says what to do. */
export async function fetchDebianBitcoind(cache: string): Promise<BitcoindProgram> {
  const root = path.join(cache, LAYOUT);
  if (!existsSync(root)) {
    mkdirSync(cache, { recursive: true });
    await withLock(path.join(cache, "lock"), async () => {
      if (!existsSync(root)) await fetchInto(cache, root);
    });
  }
  return programIn(root, cache);
}

/** The only effect outside a temporary folder is the last rename, so a broken fetch leaves nothing. */
async function fetchInto(cache: string, root: string): Promise<void> {
  if (process.platform !== "linux") throw new Error(`no bitcoind on this machine: ${HELP}`);
  const work = mkdtempSync(path.join(cache, "unpack-"));
  try {
    const options = await aptOptions(work);
    await apt([...options, "-q", "update"]);
    await apt([
      ...options,
      "-qy",
      "--no-install-recommends",
      "--download-only",
      "install",
      PACKAGE,
    ]);
    const unpacked = path.join(work, "root");
    mkdirSync(unpacked);
    const archives = path.join(work, "archives");
    for (const file of readdirSync(archives).filter((name) => name.endsWith(".deb"))) {
      await run("dpkg-deb", ["-x", path.join(archives, file), unpacked]);
    }
    programIn(unpacked, cache);
    await rename(unpacked, root).catch((error: unknown) => {
      if (!existsSync(root)) throw error; // else another process was first; its folder is as good
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function aptOptions(work: string): Promise<string[]> {
  const mirror = await debianMirror();
  const signedBy = existsSync(KEYRING) ? `[signed-by=${KEYRING}] ` : "";
  const sources = path.join(work, "sources.list");
  for (const folder of ["lists/partial", "archives/partial"]) {
    mkdirSync(path.join(work, folder), { recursive: true });
  }
  await writeFile(sources, `deb ${signedBy}${mirror} ${SUITE} main\n`);
  // An empty status file makes every library count as missing, so all of them are fetched.
  await writeFile(path.join(work, "status"), "");
  const settings = [
    `Dir::Etc::sourcelist=${sources}`,
    `Dir::Etc::sourceparts=${path.join(work, "none")}`,
    `Dir::Etc::preferences=${path.join(work, "none")}`,
    `Dir::Etc::preferencesparts=${path.join(work, "none")}`,
    `Dir::State::lists=${path.join(work, "lists")}`,
    `Dir::State::status=${path.join(work, "status")}`,
    `Dir::Cache=${work}`,
    `Dir::Cache::archives=${path.join(work, "archives")}`,
    "APT::Update::Post-Invoke=",
    "APT::Update::Post-Invoke-Success=",
    "Acquire::Languages=none",
    // As root apt would drop to a user that cannot write here.
    ...(process.getuid?.() === 0 ? ["APT::Sandbox::User=root"] : []),
  ];
  return settings.flatMap((setting) => ["-o", setting]);
}

/** The mirror this machine's own apt uses for Debian's main component. */
async function debianMirror(): Promise<string> {
  const fields = "$(ORIGIN) $(REPO_URI) $(CODENAME) $(COMPONENT) $(CREATED_BY)";
  const listed = await apt(["indextargets", "--format", fields]);
  for (const line of listed.split("\n")) {
    const [origin, uri, codename, component, by] = line.split(" ");
    const wanted = origin === "Debian" && component === "main" && by === "Packages";
    if (wanted && uri !== undefined && codename !== undefined && !codename.includes("-"))
      return uri;
  }
  throw new Error(
    `no bitcoind here and apt knows no Debian mirror (run apt-get update once): ${HELP}`,
  );
}

async function apt(args: readonly string[]): Promise<string> {
  const env = { ...process.env, LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" };
  try {
    const options = { env, timeout: APT_TIMEOUT_MS, maxBuffer: 64 * 1024 * 1024 };
    return (await run("apt-get", args, options)).stdout;
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    const key = text.includes("NO_PUBKEY") ? "upgrade debian-archive-keyring, or " : "";
    const lines = text.split("\n").filter((line) => /^[EW]: /.test(line));
    throw new Error(
      `${PACKAGE} could not be fetched with apt (${lines.join("; ")}): ${key}${HELP}`,
      {
        cause,
      },
    );
  }
}

function programIn(root: string, home: string): BitcoindProgram {
  const lib = path.join(root, "usr/lib");
  const triplet = readdirSync(lib).find((name) => existsSync(path.join(lib, name, "libc.so.6")));
  const loader = ["usr/lib64", "usr/lib", `usr/lib/${triplet}`]
    .map((folder) => path.join(root, folder))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder).map((name) => path.join(folder, name)))
    .find((file) => /^ld-linux.*\.so\.\d+$/.test(path.basename(file)));
  const bitcoind = path.join(root, "usr/bin/bitcoind");
  if (triplet === undefined || loader === undefined || !existsSync(bitcoind)) {
    throw new Error(`${root} holds no usable bitcoind; remove it and try again, or: ${HELP}`);
  }
  const libraries = [path.join(lib, triplet), path.join(lib, triplet, "systemd")].join(":");
  return {
    command: loader,
    argsPrefix: ["--library-path", libraries, bitcoind],
    env: { HOME: home },
  };
}
