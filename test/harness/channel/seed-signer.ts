/** Signers over a seed for tests that drive the core or the shell without the app. */
import type { Curve } from "@farwatch/protocol/curve/curve";
import { MemoryFloors, type HolderFloors } from "@farwatch/monitor-service/signer/holder-floors";
import { SeedKeys } from "@farwatch/monitor-service/signer/key-source";
import { LocalSigner } from "@farwatch/monitor-service/signer/local-signer";

export const seedSigner = (
  curve: Curve,
  seed: Uint8Array,
  floors: HolderFloors = new MemoryFloors(),
): LocalSigner => new LocalSigner(curve, new SeedKeys(curve, seed), floors);
