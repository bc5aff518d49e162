import { setImmediate as turn } from "node:timers/promises";
import { randomBytes } from "node:crypto";
import { serialize } from "pg-protocol/dist/serializer.js";
import { describe, expect, test } from "vitest";
import { SallyportError } from "../../../core/errors.ts";
import { mintPass } from "../../../core/identity/pass.ts";
import type { Channel, ChannelEvents } from "../../../gateway-task/channel.ts";
import { Relay } from "../../../gateway-task/postgres/relay.ts";
import type { Permit, Side } from "../../../gateway-task/recorder/permit.ts";
import type { SessionRecorder } from "../../../gateway-task/recorder/session-recorder.ts";
import { dataRow, message, readyForQuery } from "../../setup/backend-bytes.ts";

/** A side whose bytes are kept, and told by the test. */
class Wire<To extends Side> implements Channel<To> {
  readonly isIdle = true;
  sent = Buffer.alloc(0);
  ended = false;
  events: ChannelEvents | undefined;
  send({ bytes }: Permit<To>): undefined {
    this.sent = Buffer.concat([this.sent, bytes]);
  }
  start(events: ChannelEvents): void {
    this.events = events;
  }
  end(lastWord: Buffer = Buffer.alloc(0)): void {
    this.sent = Buffer.concat([this.sent, lastWord]);
    this.ended = true;
  }
}

/** A session whose recorder grants at once, or when the test says so. */
async function session() {
  const [client, target] = [new Wire<"client">(), new Wire<"target">()];
  const recorded = { input: [] as Buffer[], output: [] as Buffer[] };
  let waiting: (() => void)[] | undefined;
  const grant = (bytes: Buffer): Permit<Side> | Promise<Permit<Side>> => {
    const permit = { bytes } as Permit<Side>;
    return waiting === undefined ? permit : new Promise((done) => void waiting?.push(() => done(permit)));
  };
  const note = (which: Buffer[]) => (bytes: Buffer, kept: Buffer) => {
    which.push(Buffer.from(kept));
    return grant(bytes);
  };
  const recorder = { input: note(recorded.input), output: note(recorded.output), event: () => {} };
  const ends: string[] = [];
  const relay = new Relay(recorder as unknown as SessionRecorder, client, target, (reason) => void ends.push(reason));
  await relay.start(readyForQuery(), readyForQuery());
  return {
    relay,
    client,
    target,
    recorded,
    ends,
    ask: (bytes: Buffer) => client.events?.consumer(bytes),
    show: (bytes: Buffer) => target.events?.consumer(bytes),
    /** From now on the recorder waits, as with `strict`; what it answers lets it go on. */
    hold: () => {
      waiting = [];
      return () => {
        for (const go of waiting?.splice(0) ?? []) go();
      };
    },
  };
}

const revoked = new SallyportError("pass-revoked", "revoked");
const ROW = dataRow("a row that is cut in the middle");

describe("how a session ends", () => {
  test("with Terminate it was closed by its client; without, it was lost, whatever its last bytes look like", async () => {
    const closed = await session();
    void closed.ask(Buffer.concat([serialize.query("select 1"), serialize.end()]));
    closed.client.events?.ended(true);
    expect(closed.ends).toEqual(["client-closed"]);
    const lookalike = Buffer.from("X\0\0\0\x04");
    for (const bytes of [
      serialize.query("select 1"),
      serialize.copyData(lookalike),
      Buffer.concat([serialize.end(), serialize.sync()]),
    ]) {
      for (const orderly of [true, false]) {
        const lost = await session();
        void lost.ask(bytes);
        lost.client.events?.ended(orderly);
        expect(lost.ends).toEqual(["client-lost"]);
      }
    }
  });

  test("a Terminate that comes a byte at a time is one", async () => {
    const { ask, client, ends } = await session();
    for (const byte of serialize.end()) void ask(Buffer.of(byte));
    client.events?.ended(true);
    expect(ends).toEqual(["client-closed"]);
  });

  test("it ends once, and nothing is passed on or recorded afterwards", async () => {
    const { relay, ask, show, client, target, recorded, ends } = await session();
    relay.end("pass-revoked", revoked);
    const sent = client.sent.length;
    void ask(serialize.query("select 1"));
    void show(ROW);
    client.events?.ended(true);
    target.events?.ended(false);
    relay.fail(new Error("late"));
    expect([ends, target.sent.length, client.sent.length]).toEqual([["pass-revoked"], 0, sent]);
    expect([recorded.input.length, recorded.output.length]).toEqual([0, 1]);
    expect([client.ended, target.ended]).toEqual([true, true]);
  });

  test("a target that is lost without a word is said to be; one that gave its reason is not talked over", async () => {
    const silent = await session();
    silent.target.events?.ended(true);
    expect(silent.ends).toEqual(["target-lost"]);
    expect(silent.client.sent.toString()).toContain("08006");
    const spoken = await session();
    const failed = await session();
    void failed.show(message("E", "SERROR\0VERROR\0C42601\0\0"));
    failed.target.events?.ended(true);
    expect(failed.ends).toEqual(["target-lost"]);
    expect(failed.client.sent.toString()).toContain("08006");
    const reason = message("E", "SFATAL\0VFATAL\0C57P01\0\0");
    void spoken.show(reason);
    spoken.target.events?.ended(true);
    expect(spoken.ends).toEqual(["target-closed"]);
    expect(spoken.client.sent.equals(Buffer.concat([readyForQuery(), reason]))).toBe(true);
  });
});

describe("the last word", () => {
  test("stands behind a whole message only, so that no row is torn", async () => {
    for (let cut = 0; cut <= ROW.length; cut++) {
      const { relay, show, client } = await session();
      void show(ROW.subarray(0, cut));
      relay.end("pass-revoked", revoked);
      const whole = cut === 0 || cut === ROW.length;
      expect(client.sent.toString().includes("28P01"), `${cut} bytes`).toBe(whole);
    }
  });

  test("does not stand behind a message whose end still waits for the recorder", async () => {
    const { relay, show, client, hold } = await session();
    void show(ROW.subarray(0, 9));
    const goOn = hold();
    void show(ROW.subarray(9));
    relay.end("pass-revoked", revoked);
    goOn();
    await turn();
    expect(client.sent.equals(Buffer.concat([readyForQuery(), ROW.subarray(0, 9)]))).toBe(true);
  });

  test("stands behind that message once it was granted and sent", async () => {
    const { relay, show, client, hold } = await session();
    const goOn = hold();
    void show(ROW);
    goOn();
    await turn();
    relay.end("pass-revoked", revoked);
    expect(client.sent.subarray(0, 6 + ROW.length).equals(Buffer.concat([readyForQuery(), ROW]))).toBe(true);
    expect(client.sent.toString()).toContain("28P01");
  });
});

describe("secrets", () => {
  test("a statement with a password reaches the target as it is, and the record without; so does the server's answer", async () => {
    const { ask, show, client, target, recorded } = await session();
    const statement = serialize.query("alter role bob password 's3cr3t' oops");
    void ask(statement);
    expect(target.sent.equals(statement)).toBe(true);
    const answer = message("E", 'SERROR\0C42601\0Msyntax error at or near "s3cr3t"\0\0');
    for (const byte of Buffer.concat([answer, readyForQuery()])) void show(Buffer.of(byte));
    expect(client.sent.includes(answer)).toBe(true);
    expect(Buffer.concat([...recorded.input, ...recorded.output]).includes("s3cr3t")).toBe(false);
    void ask(serialize.query("select nothing"));
    void show(Buffer.concat([message("E", 'SERROR\0C42703\0Mcolumn "nothing" does not exist\0\0'), readyForQuery()]));
    expect(Buffer.concat(recorded.output).includes("does not exist")).toBe(true);
  });

  test("a pass that the target repeats as a setting in mid-session reaches the client, and the record without it", async () => {
    const { text } = mintPass(randomBytes);
    const status = message("S", `application_name\0my ${text} here\0`);
    const shown = Buffer.concat([message("C", "SET\0"), status, readyForQuery()]);
    for (let cut = 0; cut <= shown.length; cut++) {
      const { show, client, recorded } = await session();
      void show(shown.subarray(0, cut));
      void show(shown.subarray(cut));
      expect(client.sent.subarray(6).equals(shown)).toBe(true);
      const kept = Buffer.concat(recorded.output);
      expect([kept.length, kept.includes(text), kept.includes("application_name")]).toEqual([
        6 + shown.length,
        false,
        true,
      ]);
    }
  });
});
