import { beforeEach, describe, expect, it } from "vitest";
import type { LeaseStore } from "../../../core/ports/lease-store.ts";
import { LEASE_TTL_MS, spoolLease } from "../../../core/recording/spool-lease.ts";
import { LEASE_LOST_MS, leaseKeeper, spoolClaims } from "../../../gateway-task/recorder/spool-lease.ts";
import { openDatabase } from "../../../local/database.ts";
import { sqliteLeaseStore } from "../../../local/lease-store.ts";

let leases: LeaseStore;
let now: number;
let claim: (spool: string) => Promise<boolean>;
const renew = async (): Promise<boolean> => leases.acquire(spoolLease("a"), "a");

beforeEach(async () => {
  leases = sqliteLeaseStore(openDatabase(":memory:"));
  now = 1_000;
  claim = spoolClaims(leases, "b", () => now);
  await renew();
});

describe("the lease on a spool", () => {
  it("is never claimed while it is renewed, however late by whatever clock, nor at the first look", async () => {
    for (let round = 0; round < 20; round++) {
      now += LEASE_TTL_MS * 100;
      expect(await claim("a")).toBe(false);
      await renew();
    }
  });

  it("is claimed when nobody has renewed it for the whole period, as the claimant saw it, and is lost then", async () => {
    expect(await claim("a")).toBe(false);
    now += LEASE_TTL_MS - 1;
    expect(await claim("a")).toBe(false);
    now += 1;
    expect(await claim("a")).toBe(true);
    expect(await renew()).toBe(false);
    expect(await claim("a")).toBe(true);
  });

  it("counts the period from the claimant's last look: one renewal starts it again", async () => {
    expect(await claim("a")).toBe(false);
    now += LEASE_TTL_MS - 1;
    await renew();
    now += 1;
    expect(await claim("a")).toBe(false);
    now += LEASE_TTL_MS - 1;
    expect(await claim("a")).toBe(false);
  });

  it("is not taken from one who renews it between the look and the claim", async () => {
    expect(await claim("a")).toBe(false);
    now += LEASE_TTL_MS;
    const slow = { ...leases, takeOver: async (...given: Parameters<LeaseStore["takeOver"]>) => {
      await renew();
      return leases.takeOver(...given);
    } }; // prettier-ignore
    const slowly = spoolClaims(slow, "b", () => now);
    await slowly("a");
    now += LEASE_TTL_MS;
    expect(await slowly("a")).toBe(false);
  });

  it("is claimed at once where nobody has it, as after the start of a single machine", async () => {
    expect(await claim("of-the-dead")).toBe(true);
  });

  it("is given up by its owner before anybody may claim it", () => {
    expect(LEASE_LOST_MS + 2_000).toBeLessThan(LEASE_TTL_MS); // two rounds of housekeeping
  });
});

describe("who holds a spool's lease", () => {
  it("may write until it was not renewed for as long as another might take to claim it, and again once it is renewed", async () => {
    const lost: string[] = [];
    const keeper = leaseKeeper(
      leases,
      "a",
      () => now,
      ({ message }) => void lost.push(message),
    );
    expect(LEASE_LOST_MS).toBeLessThan(LEASE_TTL_MS);
    now += LEASE_LOST_MS - 1;
    keeper.demand();
    now += 1;
    expect(() => keeper.demand()).toThrow("could not be renewed in time");
    await keeper.renew();
    keeper.demand();
    expect(lost).toEqual([]);
  });
});
