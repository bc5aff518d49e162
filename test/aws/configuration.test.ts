import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { followConfiguration, type FollowedConfiguration } from "../../aws/configuration.ts";
import type { Digest } from "../../core/brand.ts";
import { type BundleFiles, versionOf } from "../../core/config/bundle-files.ts";
import { SallyportError } from "../../core/errors.ts";
import { bundle } from "../setup/bundles.ts";

/** Files that are in force without having been checked: of a newer release, say. */
let inForce: BundleFiles | undefined;
let outage: SallyportError | undefined;
let reads: Digest[];
let lines: Record<string, unknown>[];
let followed: FollowedConfiguration | undefined;
beforeEach(() => {
  inForce = bundle();
  outage = undefined;
  reads = [];
  lines = [];
});
afterEach(() => followed?.close());

const store = {
  current: async () => {
    if (outage) throw outage;
    return inForce && { version: versionOf(inForce), by: "ana", at: 1 };
  },
  get: async (version: Digest) => {
    reads.push(version);
    if (!inForce || versionOf(inForce) !== version) throw new SallyportError("not-found", "no such version");
    return inForce;
  },
};
const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) });
const follow = async (pollMs = 3_600_000): Promise<FollowedConfiguration> =>
  (followed = await followConfiguration({ store, maskingKey: Buffer.alloc(32), logger, pollMs }));

const faulty = bundle({ "policies/a.cedar": "permit all;" });
const other = bundle({ "connections.yaml": "connections: {}" });

describe("the configuration that is followed", () => {
  it("does not begin without one, and says how to publish it", async () => {
    inForce = undefined;
    await expect(follow()).rejects.toMatchObject({
      code: "configuration-invalid",
      message: expect.stringContaining("no configuration has been published"),
      hint: expect.stringContaining("sallyport config push"),
    });
  });

  it("does not begin with one that is not valid, or while it cannot be had", async () => {
    inForce = faulty;
    await expect(follow()).rejects.toMatchObject({ code: "configuration-invalid" });
    outage = new SallyportError("store-unavailable", "down");
    await expect(follow()).rejects.toBe(outage);
  });

  it("is in force as a whole when it has changed, and parts that have not are the same as before", async () => {
    const { connections, policies, masking, parts, reload } = await follow();
    const [guards, masks] = [policies(), masking()];
    expect([...connections().keys()]).toEqual(["shop"]);
    const before = parts().version;
    inForce = other;
    await reload();
    expect([...connections().keys()]).toEqual([]);
    expect(policies()).toBe(guards);
    expect(masking()).toBe(masks);
    expect(lines).toMatchObject([{ level: 30, from: before, to: versionOf(other) }]);
  });

  it("is found changed by itself", async () => {
    const { connections } = await follow(5);
    inForce = other;
    await expect.poll(() => connections().size).toBe(0);
  });

  it("stays as it was where the newest is not valid, which is read and told once, and goes on with the next", async () => {
    const { policies, connections, reload } = await follow();
    const before = policies();
    inForce = faulty;
    for (let n = 0; n < 3; n++) await reload();
    expect(policies()).toBe(before);
    expect(lines).toMatchObject([
      { level: 50, refused: versionOf(faulty), err: { message: expect.stringContaining("a.cedar:1:8") } },
    ]);
    expect(reads.filter((version) => version === versionOf(faulty))).toHaveLength(1);
    inForce = other;
    await reload();
    expect(connections().size).toBe(0);
  });

  it.each(["store-unavailable", "not-found"] as const)(
    "stays as it was while there is none to be had (%s), tells that once an outage, and finds what came meanwhile",
    async (code) => {
      const { parts, reload } = await follow();
      const before = parts();
      const fail = (): void => {
        if (code === "not-found") inForce = undefined;
        else outage = new SallyportError(code, "down");
      };
      for (let outages = 1; outages <= 2; outages++) {
        fail();
        for (let n = 0; n < 3; n++) await reload();
        expect(parts()).toBe(before);
        expect(lines).toHaveLength(outages);
        [inForce, outage] = [bundle(), undefined];
        await reload();
      }
      fail();
      await reload();
      [inForce, outage] = [other, undefined];
      await reload();
      expect(parts().version).toBe(versionOf(other));
    },
  );

  it("is not looked for any more once it is closed", async () => {
    const { connections } = await follow(5);
    followed?.close();
    inForce = other;
    const next = await followConfiguration({ store, maskingKey: Buffer.alloc(32), logger, pollMs: 5 });
    await expect.poll(() => next.connections().size).toBe(0);
    expect(connections().size).toBe(1);
    next.close();
  });
});
