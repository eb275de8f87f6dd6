/** What happened to one node, in order. The numbering is common to all nodes of a run. */
import type { Happening, TimelineEntry } from "../fixture/document.js";

export class Sequence {
  #next = 0;

  next(): number {
    return this.#next++;
  }
}

export class Timeline {
  readonly entries: TimelineEntry[] = [];

  constructor(private readonly sequence: Sequence) {}

  /** Returns the number the entry got. */
  add(happening: Happening): number {
    const seq = this.sequence.next();
    this.entries.push({ seq, ...happening });
    return seq;
  }

  note(text: string): void {
    this.add({ type: "note", text });
  }
}
