/** Where a long measurement says how far it is. */
export type Tell = (line: string) => void;
