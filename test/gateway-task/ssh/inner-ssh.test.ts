import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InnerSsh } from "../../../gateway-task/ssh/inner-ssh.ts";

describe("a forward", () => {
  it("carries SSH where either side's first bytes are its greeting, however they are cut", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("client" as const, "target" as const),
        fc.array(fc.integer({ min: 1, max: 6 })),
        (side, cuts) => {
          const [inner, bytes] = [new InnerSsh(), Buffer.from("SSH-2.0-x\r\n")];
          let at = 0;
          const found = [...cuts, bytes.length].some((cut) => inner.carries(bytes.subarray(at, (at += cut)), side));
          expect(found).toBe(true);
        },
      ),
    );
  });

  it("carries something else where they are not, whatever comes later", () => {
    const inner = new InnerSsh();
    for (const bytes of ["SSH", "+", "SSH-2.0", "GET / SSH-"])
      expect(inner.carries(Buffer.from(bytes), "client")).toBe(false);
  });
});
