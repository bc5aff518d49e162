import { S3Client } from "@aws-sdk/client-s3";
import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { s3ChunkStore, type S3ChunkStoreOptions } from "../../aws/chunk-store.ts";
import { clientOptions } from "../../aws/client-options.ts";
import type { Digest } from "../../core/brand.ts";
import { chunkStoreContract } from "../contract/chunk-store.ts";
import { collect } from "../setup/collect.ts";
import { type Fate, type FakeS3, startFakeS3 } from "../setup/fake-s3.ts";
import { ANYBODY } from "../setup/moto.ts";
import { sessionIdAt } from "../setup/session-ids.ts";

const SESSION = sessionIdAt(1_800_000_000_000);
const KEY = `recordings/${SESSION}/00000000.chunk`;
const NOW = Date.UTC(2026, 10, 29);
/** Of one attempt, of the whole: what hangs is given up soon, and no test waits for a real deadline. */
const ATTEMPT_MS = 300;

let fake: FakeS3;
let client: S3Client;
beforeEach(async () => {
  fake = await startFakeS3();
  client = new S3Client({ ...clientOptions(ATTEMPT_MS), ...ANYBODY, endpoint: fake.endpoint, forcePathStyle: true });
});
afterEach(async () => {
  client.destroy();
  await fake.close();
});

const storeOf = (over: Partial<S3ChunkStoreOptions> = {}) =>
  s3ChunkStore({ client, bucket: "b", retention: undefined, clock: () => NOW, ...over });
const digest = (body: Uint8Array): Digest => createHash("sha256").update(body).digest("hex") as Digest;
const body = Buffer.alloc(300_000, "chunk");
const key = { session: SESSION, sequence: 0 };
const put = (bytes: Buffer = body, over: Partial<S3ChunkStoreOptions> = {}): Promise<void> =>
  storeOf(over).put(key, bytes, digest(bytes));

/** The fates of the first requests of a method; all others are served. */
function fates(method: string, ...of: Fate[]): void {
  fake.fate = (asked) => (asked.method === method ? (of.shift() ?? "serve") : "serve");
}

chunkStoreContract("S3 by its documented rules", async () => {
  fake.objects.clear();
  return s3ChunkStore({ client, bucket: "b", retention: undefined, clock: () => NOW, page: 3 });
});

describe("the chunk store on S3", () => {
  it("puts each object with its SHA-256 for S3 to verify, and never over another", async () => {
    await put();
    expect(fake.asked).toMatchObject([
      {
        method: "PUT",
        key: KEY,
        headers: {
          "if-none-match": "*",
          "x-amz-checksum-sha256": createHash("sha256").update(body).digest("base64"),
          "content-length": "300000",
        },
      },
    ]);
  });

  it("locks chunks and manifests for the days that are configured, from when they are put", async () => {
    const retention = { mode: "COMPLIANCE", days: 365 } as const;
    await put(body, { retention });
    await storeOf({ retention }).putManifest(SESSION, "a.b.c");
    for (const { headers } of fake.asked)
      expect(headers).toMatchObject({
        "x-amz-object-lock-mode": "COMPLIANCE",
        "x-amz-object-lock-retain-until-date": "2027-11-29T00:00:00Z",
      });
    expect(fake.asked).toHaveLength(2);
    await storeOf().putManifest(sessionIdAt(7), "a.b.c");
    expect(fake.asked.at(-1)?.headers).not.toHaveProperty("x-amz-object-lock-mode");
  });

  it.each([0, -1, 0.5, Number.NaN])("is not set up to lock for %s days", (days) => {
    expect(() => storeOf({ retention: { mode: "GOVERNANCE", days } })).toThrow(
      expect.objectContaining({ code: "configuration-invalid" }),
    );
  });

  it.each<[string, Fate[]]>([
    ["a connection that is cut in the middle of the body", ["cut", "cut"]],
    [
      "throttles",
      [
        { status: 503, code: "SlowDown" },
        { status: 503, code: "SlowDown" },
      ],
    ],
    ["failures of the service", [{ status: 500, code: "InternalError" }]],
    ["no answer in time", ["hang"]],
    ["another write of the same key under way", [{ status: 409, code: "ConditionalRequestConflict" }]],
    ["an answer that is lost when the object was stored", ["lose-answer"]],
  ])("stores a chunk in spite of %s", async (_what, of) => {
    fates("PUT", ...of);
    await put();
    expect(fake.objects.get(KEY)?.body.equals(body)).toBe(true);
  });

  it.each<[string, Fate]>([
    ["cut connections", "cut"],
    ["throttles", { status: 503, code: "SlowDown" }],
    ["failures", { status: 500, code: "InternalError" }],
    ["no answers", "hang"],
    ["refused credentials", { status: 403, code: "AccessDenied" }],
    ["a bucket that is not there", { status: 404, code: "NoSuchBucket" }],
    ["writes under way that do not end", { status: 409, code: "ConditionalRequestConflict" }],
  ])("says after nothing but %s that it is unavailable, and leaves nothing behind", async (_what, fate) => {
    fake.fate = () => fate;
    await expect(put()).rejects.toMatchObject({ code: "store-unavailable" });
    expect(fake.objects.size).toBe(0);
    const store = storeOf({ deadlineMs: 1_500 });
    for (const ask of [
      () => store.get(key),
      () => collect(store.list(SESSION)),
      () => store.putManifest(SESSION, "a.b.c"),
      () => store.getManifest(SESSION),
    ])
      await expect(ask()).rejects.toMatchObject({ code: "store-unavailable" });
  });

  it("loses a race to other bytes as a conflict, and to the same bytes as nothing", async () => {
    const race = (winner: Buffer): void => {
      fake.fate = ({ method }) => {
        if (method === "PUT" && !fake.objects.has(KEY)) fake.objects.set(KEY, kept(winner));
        return "serve";
      };
    };
    race(Buffer.from("the other's"));
    await expect(put()).rejects.toMatchObject({ code: "conflict" });
    fake.objects.clear();
    race(body);
    await put();
  });

  it("compares bytes where S3 keeps no SHA-256 of an object", async () => {
    fake.objects.set(KEY, { body, checksum: undefined });
    await put();
    const other = Buffer.from(body).fill(0, 7, 8);
    await expect(put(other)).rejects.toMatchObject({ code: "conflict" });
  });

  it("gives no bytes that broke off, that are not those of S3's checksum, or that are more than a chunk's", async () => {
    const store = storeOf({ deadlineMs: 1_500 });
    await put();
    fake.fate = () => "cut";
    await expect(store.get(key)).rejects.toMatchObject({ code: "store-unavailable" });
    fake.fate = () => "serve";
    fake.objects.set(KEY, { ...kept(body), body: Buffer.from(body).fill(0, 7, 8) });
    await expect(store.get(key)).rejects.toMatchObject({ code: "store-unavailable" });
    fake.objects.set(KEY, kept(Buffer.alloc(10 << 20)));
    await expect(store.get(key)).rejects.toMatchObject({ code: "store-unavailable" });
  });

  it("asks for one session's keys only, page by page", async () => {
    const store = storeOf({ page: 2 });
    for (const name of ["00000002.chunk", "00000000.chunk", "00000001.chunk", "00000010.chunk", "manifest.jws", "x"])
      fake.objects.set(`recordings/${SESSION}/${name}`, kept(body));
    expect((await collect(store.list(SESSION))).map(({ sequence }) => sequence)).toEqual([0, 1, 2, 10]);
    expect(fake.asked.map(({ query }) => query.get("prefix"))).toEqual(Array(3).fill(`recordings/${SESSION}/`));
  });
});

function kept(bytes: Buffer) {
  return { body: bytes, checksum: createHash("sha256").update(bytes).digest("base64") };
}
