import type net from "node:net";
import { beforeEach, describe, expect, test } from "vitest";
import { type Channel, Channels } from "../../../gateway-task/ssh/channels.ts";
import { ClientEnd } from "../../../gateway-task/ssh/client-end.ts";
import { Jump } from "../../../gateway-task/ssh/jump.ts";
import type { Leg } from "../../../gateway-task/ssh/leg.ts";
import { MESSAGE, message, MessageFields } from "../../../gateway-task/ssh/messages.ts";
import { Passage } from "../../../gateway-task/ssh/passage.ts";
import type { Side } from "../../../gateway-task/recorder/permit.ts";
import type { SessionRecorder } from "../../../gateway-task/recorder/session-recorder.ts";

const NUMBER = 5;
const WINDOW = 1 << 20;
const FRAME = 4;

let passage: Passage;
let channels: Channels;
let channel: Channel;
let jump: Jump;
let socket: net.Socket;
/** What the client was sent, in order. */
let said: Buffer[];
let failed: unknown[];
/** Thrown by the recorder of the session that is jumped through. */
let fault: Error | undefined;
let isFull: boolean;
let drained: (() => void)[];

/** @param window of the client's, and its packets */
function open(window = 2 ** 31, packet = 32 << 10): void {
  const record = (bytes: Buffer): unknown => {
    if (fault !== undefined) throw fault;
    return { bytes };
  };
  const recorder = { output: record, input: record, asked: () => ({ bytes: Buffer.alloc(0) }) };
  const leg = {
    send: ({ bytes }: { bytes: Buffer }) => void said.push(Buffer.from(bytes.subarray(FRAME))),
    get isFull() {
      return isFull;
    },
    drained: () => (isFull ? new Promise<void>((done) => drained.push(done)) : Promise.resolve()),
    pause: () => {},
    resume: () => {},
  };
  const deps = { gate: { judges: false } } as never;
  const legOf = <To extends Side>(): Leg<To> => leg as unknown as Leg<To>;
  passage = new Passage(recorder as unknown as SessionRecorder, legOf(), legOf(), deps, (error) => failed.push(error));
  channels = new Channels();
  channel = channels.open("client", NUMBER, "direct-tcpip") as Channel;
  channel.room.window = window;
  channel.room.packet = packet;
  jump = new Jump(passage, channels, channel);
  socket = jump.socket;
  socket.on("error", () => {});
  jump.start();
  said.splice(0);
}

beforeEach(() => {
  [said, failed, drained, fault, isFull] = [[], [], [], undefined, false];
  open();
});

const data = (bytes: number): Buffer => message(MESSAGE.channelData, channel.shown, Buffer.alloc(bytes, 1));
const types = (): number[] => said.map((bytes) => bytes[0] ?? 0);
const turn = (): Promise<void> => new Promise((done) => setTimeout(done, 5));
/** Bytes of data that the client was sent. */
const shown = (): number =>
  said
    .filter((bytes) => bytes[0] === MESSAGE.channelData)
    .reduce((sum, bytes) => {
      const fields = new MessageFields(bytes, 5);
      return sum + fields.bytes().length;
    }, 0);

describe("what a jump's client says", () => {
  test("comes out of the socket as it went in, and gives the window back as it is read", async () => {
    const read: Buffer[] = [];
    socket.on("data", (bytes: Buffer) => read.push(bytes));
    for (let n = 0; n < 100; n++) {
      jump.message(MESSAGE.channelData, data(32_000));
      await turn();
    }
    expect(Buffer.concat(read).length).toBe(3_200_000);
    const given = said
      .filter((bytes) => bytes[0] === MESSAGE.channelWindowAdjust)
      .map((bytes) => bytes.readUInt32BE(5));
    expect(given.reduce((sum, one) => sum + one, 0)).toBeGreaterThan(3_200_000 - WINDOW);
  });

  test("beyond its window, while nobody reads, is a violation of the protocol: memory is bounded", () => {
    const flood = (): void => {
      for (let sent = 0; sent <= WINDOW; sent += 32_000) jump.message(MESSAGE.channelData, data(32_000));
    };
    expect(flood).toThrow("the client sent more than its window");
    expect(socket.readableLength).toBeLessThanOrEqual(WINDOW);
  });

  test("after the channel was closed is dropped, and gives no window: the client may use the number again", async () => {
    socket.resume();
    socket.end();
    await turn();
    expect(types()).toEqual([MESSAGE.channelEof, MESSAGE.channelClose]);
    for (let n = 0; n < 50; n++) jump.message(MESSAGE.channelData, data(32_000));
    await turn();
    expect(types()).toEqual([MESSAGE.channelEof, MESSAGE.channelClose]);
    jump.message(MESSAGE.channelClose, message(MESSAGE.channelClose, channel.shown));
    expect(channels.open("client", NUMBER, "session")).toBeDefined();
  });

  test("to its end closes the socket both ways, as a connection of its own would: nobody is left in a session", async () => {
    socket.resume();
    jump.message(MESSAGE.channelEof, message(MESSAGE.channelEof, channel.shown));
    await turn();
    expect([socket.destroyed, types()]).toEqual([true, [MESSAGE.channelEof, MESSAGE.channelClose]]);
  });
});

describe("what is said to a jump's client", () => {
  test("waits for the client's window, and then for its connection: whoever writes is told when both have room", async () => {
    open(10_000);
    let written = 0;
    for (let n = 0; n < 4; n++) socket.write(Buffer.alloc(5_000), () => (written += 5_000));
    await turn();
    expect([shown(), written]).toEqual([10_000, 10_000]);
    isFull = true;
    jump.message(MESSAGE.channelWindowAdjust, message(MESSAGE.channelWindowAdjust, channel.shown, 10_000));
    await turn();
    expect([shown(), written]).toEqual([15_000, 10_000]);
    isFull = false;
    for (const done of drained.splice(0)) done();
    await turn();
    expect([shown(), written]).toEqual([20_000, 20_000]);
  });

  test("does not overtake whoever writes it: they may be in the midst of a message of their own", async () => {
    socket.write(Buffer.alloc(100));
    expect(said).toEqual([]);
    await turn();
    expect(shown()).toBe(100);
  });

  test("ends the session that is jumped through where that cannot be recorded any more, and nothing else", async () => {
    fault = new Error("the recording is full");
    socket.write(Buffer.alloc(100));
    await turn();
    expect([failed, said]).toEqual([[fault], []]);
    jump.end();
    expect(socket.destroyed).toBe(true);
    await turn();
    expect(failed).toEqual([fault]);
  });
});

test("a client that sends on and gives no window for what it is shown in a guarded shell is sent away: memory is bounded", () => {
  channel.room.window = 0;
  const end = new ClientEnd(passage, channel);
  const flood = (): void => {
    for (let n = 0; n < 200; n++) end.write(Buffer.alloc(32 << 10));
  };
  expect(flood).toThrow("the client sends on, and does not read what it is shown");
});
