/**
 * Networks by name, with the chain hash that stands under every signature: the genesis block hash in
 * internal byte order (BOLT 0 `chain_hash`), as hex.
 */
export const NETWORKS = ["regtest", "signet", "testnet", "bitcoin"] as const;
export type Network = (typeof NETWORKS)[number];

export const CHAIN_HASHES: Readonly<Record<Network, string>> = {
  regtest: "06226e46111a0b59caaf126043eb5bbf28c34f3a5e332a1fc7b2b73cf188910f",
  signet: "f61eee3b63a380a477a063af32b2bbc97c9ff9f01f2c4225e973988108000000",
  testnet: "43497fd7f826957108f4a30fd9cec3aeba79972084e90ead01ea330900000000",
  bitcoin: "6fe28c0ab6f1b372c1a6a246ae63f74f931e8365e15a089c68d6190000000000",
};
