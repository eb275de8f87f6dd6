/** What every process of a world is given. */
import type { Curve } from "@farwatch/protocol/curve/curve";
import type { Certificates } from "./certificates.js";
import type { HostDeps } from "@farwatch/monitor-service/runtime/deps";
import type { Holds } from "./holds.js";
import type { CrashPoints } from "./life.js";
import type { Pump } from "./pump.js";
import type { Recorder } from "./recorder.js";
import type { WorldChain } from "./world-chain.js";

/** The lying ones say durable before it is; only to see that the suite notices. */
export type DiskKind = "simulated" | "sqlite" | "lying manager" | "lying monitors";

export interface LogLine {
  readonly by: string;
  readonly level: "info" | "warn" | "error";
  readonly message: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

/** What a monitor is configured with beside the defaults. */
export type MonitorOptions = Partial<
  Pick<HostDeps, "feeWallet" | "asksManagers" | "sweep" | "maxFeerate">
>;

export interface Surroundings {
  readonly curve: Curve;
  readonly pump: Pump;
  readonly points: CrashPoints;
  readonly chain: WorldChain;
  readonly certificates: Certificates;
  readonly holds: Holds;
  readonly monitorOptions: MonitorOptions;
  readonly record: Recorder;
  readonly disk: DiskKind;
  /** For the files of real stores. */
  readonly folder: string;
  readonly log: (line: LogLine) => void;
  /** A store failed, or a process found itself broken: the scenario fails. */
  readonly onFatal: (by: string, error: unknown) => void;
}
