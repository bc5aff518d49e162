import type { Policies, Verdict } from "./verdict.ts";

const ALLOW: Verdict = { kind: "allow", policies: [] };

/**
 * Where a deployment has no policies: whoever `access` lets in may do everything that the target lets them, and nothing is
 * exempt from recording or masking.
 */
export const UNGUARDED: Policies = {
  version: "none",
  connect: () => ALLOW,
  statements: () => ALLOW,
  action: () => ALLOW,
  command: () => ALLOW,
  file: () => ALLOW,
  forward: () => ALLOW,
  listen: () => ALLOW,
  ssh: () => ALLOW,
  exempts: () => undefined,
};
