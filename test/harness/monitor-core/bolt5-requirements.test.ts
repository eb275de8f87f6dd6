/**
 * BOLT 5 as a table, test/vectors/bolt5/requirements.json: each requirement names the test that drives it,
 * or why it is not followed. A test that is renamed or removed without its row fails here.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import { z } from "zod";

const ROOT = new URL("../../../../", import.meta.url);
const KNOWN_PLACES = /^(test\/harness\/monitor-core|monitor-service\/src|test\/e2e)\/.+\.ts$/;
/** The title of a test, as the source has it: placeholders of a template stand as they are. */
const TITLE = /\bit\(\s*(?:"([^"\n]+)"|`([^`\n]+)`),/g;

const read = (file: string): string => fs.readFileSync(new URL(file, ROOT), "utf8");

const requirement = z.strictObject({
  id: z.string().regex(/^[a-z]+(-[a-z]+)+$/),
  /** Anchor of the section in the file of `source`. */
  section: z.string().regex(/^[a-z]+(-[a-z]+)+$/),
  level: z.enum(["MUST", "SHOULD"]),
  /** In our own words. */
  requirement: z.string().min(1),
  drivenBy: z.strictObject({ file: z.string().regex(KNOWN_PLACES), test: z.string() }).optional(),
  /** Why, and with a test beside it: which part of it. */
  notFollowed: z.string().min(1).optional(),
});

const table = z
  .strictObject({
    source: z.strictObject({ repository: z.string(), commit: z.string(), file: z.string() }),
    requirements: z.array(requirement),
  })
  .parse(JSON.parse(read("test/vectors/bolt5/requirements.json")));

const titlesIn = (file: string): readonly string[] =>
  [...read(file).matchAll(TITLE)].map(([, plain, template]) => plain ?? template ?? "");

const SECTIONS = [
  "general-nomenclature",
  "failing-a-channel",
  "mutual-close-handling",
  "unilateral-close-handling-local-commitment-transaction",
  "htlc-output-handling-local-commitment-local-offers",
  "htlc-output-handling-local-commitment-remote-offers",
  "unilateral-close-handling-remote-commitment-transaction",
  "htlc-output-handling-remote-commitment-local-offers",
  "htlc-output-handling-remote-commitment-remote-offers",
  "revoked-transaction-close-handling",
  "generation-of-htlc-transactions",
  "general-requirements",
];

describe("BOLT 5 requirements", () => {
  it("are those of the commit that the BOLT 3 vectors are from", () => {
    const { source } = z
      .object({ source: z.object({ repository: z.string(), commit: z.string() }) })
      .parse(JSON.parse(read("test/vectors/bolt3/appendix-b.json")));
    assert.deepEqual(table.source, {
      repository: source.repository,
      commit: source.commit,
      file: "05-onchain.md",
    });
  });

  it("have an id each, and cover every section in its order", () => {
    const ids = table.requirements.map(({ id }) => id);
    assert.deepEqual(ids, [...new Set(ids)]);
    assert.deepEqual([...new Set(table.requirements.map(({ section }) => section))], SECTIONS);
  });

  for (const { id, drivenBy, notFollowed } of table.requirements) {
    if (drivenBy === undefined) {
      it(`${id}: is not followed, for a reason`, () => assert.ok(notFollowed !== undefined));
      continue;
    }
    it(`${id}: its test exists`, () => {
      const { file, test } = drivenBy;
      const found = titlesIn(file).filter((title) => title === test);
      assert.equal(found.length, 1, `${file}: one test titled ${test}`);
    });
  }
});
