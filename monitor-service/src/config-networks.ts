/**
 * Networks by name: bitcoind's name for each, and the chain hash that stands under every signature (the
 * genesis block hash in internal byte order, BOLT 0 `chain_hash`), as hex.
 */
import type { ChainName } from "./chain/proof-of-work.js";

export const NETWORKS = ["regtest", "signet", "testnet4", "testnet", "bitcoin"] as const;
export type Network = (typeof NETWORKS)[number];

export const CHAIN_NAMES: Readonly<Record<Network, ChainName>> = {
  regtest: "regtest",
  signet: "signet",
  testnet4: "testnet4",
  testnet: "test",
  bitcoin: "main",
};

export const CHAIN_HASHES: Readonly<Record<Network, string>> = {
  regtest: "06226e46111a0b59caaf126043eb5bbf28c34f3a5e332a1fc7b2b73cf188910f",
  signet: "f61eee3b63a380a477a063af32b2bbc97c9ff9f01f2c4225e973988108000000",
  testnet4: "43f08bdab050e35b567c864b91f47f50ae725ae2de53bcfbbaf284da00000000",
  testnet: "43497fd7f826957108f4a30fd9cec3aeba79972084e90ead01ea330900000000",
  bitcoin: "6fe28c0ab6f1b372c1a6a246ae63f74f931e8365e15a089c68d6190000000000",
};
