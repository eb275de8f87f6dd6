/**
 * claimableBalances(state): every balance of one channel, as LDK's `get_claimable_balances` tells it
 * (onchain-engine 11). A view: nothing is decided by it but when a channel may be archived.
 */
import { assertNever } from "@farwatch/protocol/assert";
import type { FundingSpend, MonitorState } from "../state.js";
import type { Balance } from "./balance.js";
import {
  balancesOfCounterpartyClose,
  balancesOfHolderClose,
  balancesOfMutualClose,
} from "./closed.js";
import { balancesOnClose } from "./on-close.js";
import { balancesOfRevokedClose } from "./revoked.js";

export function claimableBalances(state: MonitorState): readonly Balance[] {
  const { spend } = state;
  return spend === undefined ? balancesOnClose(state) : balancesAfter(state, spend);
}

function balancesAfter(state: MonitorState, spend: FundingSpend): readonly Balance[] {
  switch (spend.kind) {
    case "holder":
      return balancesOfHolderClose(state, spend);
    case "counterparty":
    case "counterpartyPrevious":
      return balancesOfCounterpartyClose(state, spend);
    case "revoked":
      return isNamed(state, spend)
        ? balancesOfRevokedClose(state, spend)
        : balancesOfMutualClose(state, spend);
    case "mutual":
    case "unknown":
      return balancesOfMutualClose(state, spend);
    default:
      return assertNever(spend.kind);
  }
}

/** A revoked number alone is no proof: an old commitment of ours carries the same numbers. */
const isNamed = (state: MonitorState, { identified }: FundingSpend): boolean =>
  identified || state.tracked.some(({ role }) => role.kind === "revoked");
