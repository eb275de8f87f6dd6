// Relative links in Markdown: the target exists, a heading it names exists, and a link whose text is one
// code word ([`refreshClaims`](../src/x.ts)) leads to a source file that has this word. So a document
// that explains code fails the lint when that code is renamed or moved.
import fs from "node:fs";
import path from "node:path";

const LINK = /\[((?:[^\][]|\[[^\]]*\])*)\]\(([^()\s]+)\)/g;
/** Roughly: a comment that mentions a name does not have it. */
const COMMENT = /\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm;
const CODE_WORD = /^`([A-Za-z_$][\w$]*)(?:\(\))?`$/;

/** Problems of one file's links, as lines without the file's name. `text` is its content. */
export function linkProblems(file, text) {
  const problems = [];
  for (const [, label, target] of withoutCode(text).matchAll(LINK)) {
    if (/^[a-z]+:/.test(target)) continue;
    const [name, heading] = target.split("#");
    const full = name === "" ? file : path.resolve(path.dirname(file), name);
    if (!fs.existsSync(full)) problems.push(`no such file: ${target}`);
    else if (heading !== undefined && !headingsOf(full).has(heading))
      problems.push(`no such heading: ${target}`);
    else problems.push(...wordProblems(label, full, target));
  }
  return problems;
}

function wordProblems(label, full, target) {
  const word = CODE_WORD.exec(label)?.[1];
  if (word === undefined || !/\.(ts|mjs|proto)$/.test(full)) return [];
  const code = fs.readFileSync(full, "utf8").replace(COMMENT, "");
  const found = new RegExp(`\\b${word.replaceAll("$", "\\$")}\\b`).test(code);
  return found ? [] : [`${target} has no ${word}`];
}

/** Fenced blocks hold examples, not links. Code inside a label stays, so only fences are cut. */
const withoutCode = (text) => text.replace(/^```[\s\S]*?^```/gm, "");

/** Anchors as GitHub makes them. */
function headingsOf(file) {
  const headings = fs.readFileSync(file, "utf8").matchAll(/^#+ +(.*)$/gm);
  return new Set(
    [...headings].map(([, heading]) =>
      heading
        .toLowerCase()
        .replace(/[^\w\- ]/g, "")
        .replaceAll(" ", "-"),
    ),
  );
}
