/**
 * What a node needs of ManagerService, without saying how the calls travel: NodeClient has it over
 * gRPC, the scenario suite in one process. One object is one session, or outlives them.
 */
import type { ChannelId } from "@farwatch/protocol/ids";
import type { Item } from "@farwatch/protocol/gen/manager/v1/event";
import type {
  ClaimPaymentRequest,
  ClosePaymentRequest,
  Completed,
  DoneItem,
  ForceCloseRequest,
  HtlcFulfilledRequest,
  HtlcNotSentRequest,
  OpenNodeSessionResponse,
  RegisterPaymentRequest,
} from "@farwatch/protocol/gen/manager/v1/manager_service";

export interface ManagerConnection {
  /** The answer to OpenNodeSession. */
  readonly session: OpenNodeSessionResponse | undefined;
  /** Everything Subscribe gave in this session, in order; grows. */
  readonly items: readonly Item[];
  readonly replayDone: boolean;
  /** Resolves when every required monitor has the channel. */
  watchChannel(id: ChannelId, initialState: Uint8Array, firstUpdateId: bigint): Promise<void>;
  /** Resolves with `completed`. Rejects with UpdateRefused, or with another error: outcome unknown. */
  update(id: ChannelId, updateId: bigint, payload: Uint8Array): Promise<Completed>;
  registerPayment(request: RegisterPaymentRequest): Promise<void>;
  closePayment(request: ClosePaymentRequest): Promise<void>;
  claimPayment(request: ClaimPaymentRequest): Promise<void>;
  htlcFulfilled(request: HtlcFulfilledRequest): Promise<void>;
  htlcNotSent(request: HtlcNotSentRequest): Promise<void>;
  forceClose(request: ForceCloseRequest): Promise<void>;
  /** Done. */
  answer(items: readonly DoneItem[]): Promise<void>;
  close(): void;
}

export class UpdateRefused extends Error {
  override readonly name = "UpdateRefused";
  constructor(
    readonly reason: string,
    message: string,
  ) {
    super(`${reason}: ${message}`);
  }
}
