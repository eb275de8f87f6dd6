/**
 * Branded primitives: the compiler keeps a payment hash from being used as a txid, and satoshis from
 * being added to millisatoshis. Casts that create a brand live here only.
 */
declare const brandName: unique symbol;
export type Brand<T, Name extends string> = T & { readonly [brandName]: Name };

/** Gives a checked value its brand. Callers are the constructors in amount.ts, block.ts and ids.ts. */
export const brand = <B extends Brand<unknown, string>>(value: unknown): B => value as B;
