import { beforeEach, describe, expect, it } from "vitest";
import type { Digest } from "../../../core/brand.ts";
import type { SessionOpening } from "../../../core/ports/session-store.ts";
import { CHUNK_HEADER_BYTES, sha256, toDigest } from "../../../core/recording/chunk.ts";
import { type Manifest, signManifest } from "../../../core/recording/manifest.ts";
import { verifySession } from "../../../core/recording/verify.ts";
import {
  event,
  type FrameSpec,
  input,
  type MadeRecording,
  makeChunks,
  opening,
  openedEvent,
  output,
  statement,
  storeRecording,
} from "../../setup/make-recording.ts";
import { type MemoryChunks, memoryChunks, nameOf } from "../../setup/memory-chunks.ts";
import { sessionIdAt } from "../../setup/session-ids.ts";
import { memorySigner } from "../../setup/signing.ts";

const ROW = opening(sessionIdAt(1_800_000_000_000));
const OTHER = opening(sessionIdAt(1_800_000_000_001));
const signer = memorySigner();
const keys = [signer.publicKey];

const frames = (row: SessionOpening): FrameSpec[][] =>
  [0, 1, 2, 3].map((n) => [
    ...(n === 0 ? [event(openedEvent(row))] : []),
    input(`ask ${n}`),
    output(`reply ${n} `.repeat(50)),
    event(statement({ number: n + 1 })),
  ]);

let store: MemoryChunks;
let made: MadeRecording;
const name = (sequence: number, row = ROW): string => nameOf({ session: row.id, sequence });
const chunk = (sequence: number): Buffer => Buffer.from(made.chunks[sequence] ?? []);

beforeEach(async () => {
  store = memoryChunks();
  await storeRecording(store, OTHER, frames(OTHER), signer);
  made = await storeRecording(store, ROW, frames(ROW), signer);
});

describe("verifying a session", () => {
  it("finds nothing wrong with a recording that is as it was sealed", async () => {
    expect(await verifySession(store, ROW.id, keys)).toEqual({
      session: ROW.id,
      ok: true,
      chunks: 4,
      frames: 8,
      head: made.closing.head,
      manifest: made.manifest,
      fault: undefined,
    });
  });

  it("finds the change of any byte of any chunk", async () => {
    for (let sequence = 0; sequence < 4; sequence++) {
      const whole = chunk(sequence);
      for (let at = 0; at < whole.length; at++) {
        const altered = Buffer.from(whole);
        altered[at] = (altered[at] ?? 0) ^ (1 << (at % 8));
        store.chunks.set(name(sequence), altered);
        const found = await verifySession(store, ROW.id, keys);
        expect(found.ok, `byte ${at} of chunk ${sequence}`).toBe(false);
        // The one that was altered, or the one behind it, whose link shows it.
        expect([sequence, sequence + 1]).toContain(found.fault?.chunk);
      }
      store.chunks.set(name(sequence), whole);
    }
    expect((await verifySession(store, ROW.id, keys)).ok).toBe(true);
  });

  it("finds a chunk that is missing, the last one too", async () => {
    for (let sequence = 0; sequence < 4; sequence++) {
      store.chunks.delete(name(sequence));
      const found = await verifySession(store, ROW.id, keys);
      expect(found).toMatchObject({ ok: false, fault: { kind: "chunk-missing", chunk: sequence } });
      expect(found.chunks).toBeLessThanOrEqual(sequence);
      store.chunks.set(name(sequence), chunk(sequence));
    }
  });

  it("finds two chunks that changed places, one of another session, and one that was added", async () => {
    store.chunks.set(name(1), chunk(2)).set(name(2), chunk(1));
    expect((await verifySession(store, ROW.id, keys)).fault).toMatchObject({ kind: "chunk-misplaced", chunk: 1 });
    store.chunks.set(name(1), chunk(1)).set(name(2), store.chunks.get(name(2, OTHER)) ?? Buffer.alloc(0));
    expect((await verifySession(store, ROW.id, keys)).fault).toMatchObject({ kind: "chunk-misplaced", chunk: 2 });
    store.chunks.set(name(2), chunk(2));
    const longer = makeChunks(ROW, [...frames(ROW), [input("one more")]]);
    store.chunks.set(name(4), longer[4] ?? Buffer.alloc(0));
    expect((await verifySession(store, ROW.id, keys)).fault).toMatchObject({ kind: "chunk-unexpected", chunk: 4 });
  });

  it("finds a chunk that was cut off anywhere", async () => {
    for (let sequence = 0; sequence < 4; sequence++) {
      const whole = chunk(sequence);
      for (const length of [0, 1, 8, CHUNK_HEADER_BYTES - 1, CHUNK_HEADER_BYTES, whole.length - 1]) {
        store.chunks.set(name(sequence), whole.subarray(0, length));
        expect((await verifySession(store, ROW.id, keys)).fault).toMatchObject({
          kind: "chunk-unreadable",
          chunk: sequence,
        });
      }
      store.chunks.set(name(sequence), whole);
    }
  });

  it("finds a recording that was forged whole, with a chain that holds", async () => {
    const forged = frames(ROW);
    forged[2] = [input("ask 2"), output("nothing to see here"), event(statement({ number: 3 }))];
    for (const [sequence, bytes] of makeChunks(ROW, forged).entries()) store.chunks.set(name(sequence), bytes);
    expect((await verifySession(store, ROW.id, keys)).fault).toMatchObject({ kind: "chunk-altered", chunk: 3 });
  });

  it("finds a manifest that is missing, another session's, forged, or signed by somebody else", async () => {
    const verdict = async (jws: string | undefined): Promise<unknown> => {
      store.manifests.delete(ROW.id);
      if (jws !== undefined) store.manifests.set(ROW.id, jws);
      const { ok, fault } = await verifySession(store, ROW.id, keys);
      expect(ok).toBe(false);
      return fault?.kind;
    };
    const real = store.manifests.get(ROW.id) ?? "";
    const [header, , signature] = real.split(".");
    const payload = Buffer.from(JSON.stringify({ ...made.manifest, statements: 0 })).toString("base64url");
    expect(await verdict(undefined)).toBe("manifest-missing");
    expect(await verdict(store.manifests.get(OTHER.id))).toBe("manifest-invalid");
    expect(await verdict(`${header}.${payload}.${signature}`)).toBe("manifest-invalid");
    expect(await verdict(await signManifest(made.manifest, memorySigner()))).toBe("manifest-invalid");
    expect(await verdict("")).toBe("manifest-invalid");
    store.manifests.set(ROW.id, real);
    expect((await verifySession(store, ROW.id, [])).fault?.kind).toBe("manifest-invalid");
  });

  it("finds a manifest that says other things than the chunks that it signs", async () => {
    const over: Partial<Manifest>[] = [
      { frames: 7 },
      { startedAt: ROW.startedAt + 1 },
      { chunks: 3, head: toDigest(sha256(chunk(2))) },
      { chunks: 5 },
      { head: "00".repeat(32) as Digest },
    ];
    for (const change of over) {
      store.manifests.set(ROW.id, await signManifest({ ...made.manifest, ...change }, signer));
      expect((await verifySession(store, ROW.id, keys)).ok, JSON.stringify(change)).toBe(false);
    }
  });

  it("tells of a broken chain rather than of the missing manifest, and how far the chain holds", async () => {
    store.manifests.delete(ROW.id);
    store.chunks.delete(name(2));
    expect(await verifySession(store, ROW.id, keys)).toMatchObject({
      ok: false,
      chunks: 1,
      frames: 2,
      head: toDigest(sha256(chunk(0))),
      fault: { kind: "chunk-missing", chunk: 2 },
    });
  });

  it("finds nothing to verify in a session that stored nothing", async () => {
    const found = await verifySession(store, sessionIdAt(9), keys);
    expect(found).toMatchObject({ ok: false, chunks: 0, head: undefined, fault: { kind: "manifest-missing" } });
  });

  it("gives no verdict when the store does not answer", async () => {
    const down = Object.assign(new Error("down"), { code: "store-unavailable" });
    for (const method of ["get", "getManifest"])
      await expect(verifySession({ ...store, [method]: () => Promise.reject(down) }, ROW.id, keys)).rejects.toBe(down);
  });
});
