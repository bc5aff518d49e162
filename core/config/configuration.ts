import type { MaskingConfig } from "../masking/masking.ts";
import type { Policies } from "../policy/verdict.ts";
import type { Connections } from "./connections.ts";
import type { Directory } from "./directory.ts";
import type { Services } from "./services.ts";

/** The newest valid configuration, part by part. */
export interface Configuration {
  readonly connections: () => Connections;
  readonly policies: () => Policies;
  readonly directory: () => Directory;
  /** Nobody but people where there is no file. */
  readonly services: () => Services;
  /** Undefined where there are no rules: nothing is masked. */
  readonly masking: () => MaskingConfig | undefined;
  close(): void;
}
