import type { MaskingConfig } from "../masking/masking.ts";
import type { Policies } from "../policy/verdict.ts";
import type { Connections } from "./connections.ts";
import type { Directory } from "./directory.ts";

/** The newest valid configuration, part by part. */
export interface Configuration {
  readonly connections: () => Connections;
  readonly policies: () => Policies;
  readonly directory: () => Directory;
  /** Undefined where there are no rules: nothing is masked. */
  readonly masking: () => MaskingConfig | undefined;
  close(): void;
}
