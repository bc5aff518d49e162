import { describe, expect, it } from "vitest";
import type { Secrets } from "../../core/ports/secrets.ts";

export interface SecretsUnderTest {
  readonly secrets: Secrets;
  readonly put: (name: string, text: string) => Promise<void>;
}

/** What every Secrets promises. @param make one with nothing in it */
export function secretsContract(name: string, make: () => Promise<SecretsUnderTest>): void {
  describe(`secrets (${name})`, () => {
    it.each([
      "plain",
      "pässwörd 🙂",
      '{"not json',
      " spaces ",
      "-----BEGIN KEY-----\nx\n-----END KEY-----",
      '{"user":"x"}',
      "[1]",
    ])("gives what was put, one line feed at the end apart: %j", async (text) => {
      const { secrets, put } = await make();
      await put("one", text);
      await put("two.of_them-", `${text}\n`);
      expect(await secrets.get("one")).toBe(text);
      expect(await secrets.get("two.of_them-")).toBe(text);
    });

    it("says that a secret is not there, and finds it once it is", async () => {
      const { secrets, put } = await make();
      await put("other", "x");
      await expect(secrets.get("one")).rejects.toMatchObject({ code: "not-found" });
      await put("one", "now");
      expect(await secrets.get("one")).toBe("now");
    });

    it("gives what it was rotated to where what was known has been refused", async () => {
      const { secrets, put } = await make();
      await put("one", "old");
      expect(await secrets.get("one")).toBe("old");
      await put("one", "new");
      expect(await secrets.get("one", "fresh")).toBe("new");
      expect(await secrets.get("one")).toBe("new");
    });

    it("takes no name that could lead elsewhere", async () => {
      const { secrets, put } = await make();
      await put("one", "x");
      for (const bad of [
        "",
        "../one",
        "one\0",
        "one\n",
        "arn:aws:secretsmanager:eu-central-1:1:secret:one",
        "o ne",
        "*",
        "x".repeat(600),
      ])
        await expect(secrets.get(bad)).rejects.toMatchObject({ code: "not-found" });
    });
  });
}
