import { expect } from "vitest";
import { answer } from "../../core/approval/state.ts";
import { transition } from "../../core/approval/transition.ts";
import type { Principal, PrincipalId } from "../../core/identity/principal.ts";
import type { Approval, ApprovalStore } from "../../core/ports/approval-store.ts";

const BOB: Principal = { kind: "user", id: "test|Bob" as PrincipalId, name: "Bob", groups: ["dba"] };

export interface Approver {
  /** The one request that waits, when there is one. */
  asked(): Promise<Approval>;
  decide(consents: boolean, words?: string): Promise<void>;
  /** What became of a request. */
  became(approval: Approval): Promise<Approval["status"] | undefined>;
}

/** Bob, of the group `dba`, who looks at what waits. */
export function approver(store: ApprovalStore): Approver {
  const waiting = async (): Promise<Approval[]> => store.list({ waitingAt: Date.now(), limit: 10 });
  const asked = async (): Promise<Approval> => {
    await expect.poll(async () => (await waiting()).length).toBe(1);
    return (await waiting())[0] as Approval;
  };
  return {
    asked,
    async decide(consents, words = "") {
      const { id } = await asked();
      await transition(store, id, (approval) => answer(approval, { by: BOB, consents, words }, Date.now()));
    },
    became: async ({ id }) => (await store.get(id))?.status,
  };
}
