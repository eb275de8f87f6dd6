/** What an input showed: names of it, and what must not be if something is wrong. */
export interface Seen {
  readonly features: readonly string[];
  readonly wrong?: string;
}
