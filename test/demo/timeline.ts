/** Prints what happens as a timeline a person can follow; colours only on a terminal. */
import { styleText } from "node:util";

type Tone = "plain" | "good" | "bad" | "money";
const STYLES = { plain: "white", good: "green", bad: "red", money: "yellow" } as const;

export class Timeline {
  readonly #started = Date.now();
  readonly #colour = process.stdout.isTTY;
  constructor(private readonly quiet: boolean) {}

  chapter(title: string): void {
    this.#print("");
    this.#print(this.#colour ? styleText("bold", title) : title);
  }

  say(text: string, tone: Tone = "plain"): void {
    const seconds = ((Date.now() - this.#started) / 1000).toFixed(1).padStart(6);
    this.#print(`${seconds}s  ${this.#colour ? styleText(STYLES[tone], text) : text}`);
  }

  #print(line: string): void {
    if (!this.quiet) console.log(line);
  }
}
