import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Piece, refusedRequest, SftpGate } from "../../../gateway-task/ssh/sftp-gate.ts";

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
};
const text = (value: string | Buffer): Buffer => Buffer.concat([uint32(Buffer.byteLength(value)), Buffer.from(value)]);
/** A request: its type, its id, its fields. */
const request = (type: number, id: number, ...fields: Buffer[]): Buffer => {
  const body = Buffer.concat([Buffer.of(type), uint32(id), ...fields]);
  return Buffer.concat([uint32(body.length), body]);
};

const INIT = Buffer.concat([uint32(5), Buffer.of(1), uint32(3)]);
const open = (path: string, flags: number): Buffer => request(3, 7, text(path), uint32(flags), uint32(0));
const write = (bytes: number): Buffer =>
  request(6, 8, text("handle"), uint32(0), uint32(0), text(Buffer.alloc(bytes, 1)));
const extended = (name: string, ...fields: Buffer[]): Buffer => request(200, 9, text(name), ...fields);

const accesses = (piece: Piece | undefined): readonly string[] =>
  piece?.kind === "request" ? piece.accesses.map(({ operation, path }) => `${operation} ${path}`) : [`${piece?.kind}`];

describe("a request of the file transfer protocol", () => {
  const judged: readonly [name: string, bytes: Buffer, accesses: readonly string[]][] = [
    ["OPEN for reading", open("/a", 1), ["read /a"]],
    ["OPEN for writing", open("/a", 2 | 8 | 16), ["write /a"]],
    ["OPEN for both", open("/a", 3), ["write /a", "read /a"]],
    ["OPEN for appending", open("/a", 4), ["write /a"]],
    ["OPEN for nothing", open("/a", 0), ["read /a"]],
    ["LSTAT", request(7, 1, text("/a")), ["stat /a"]],
    ["SETSTAT", request(9, 1, text("/a"), uint32(0)), ["setstat /a"]],
    ["OPENDIR", request(11, 1, text("/a")), ["list /a"]],
    ["REMOVE", request(13, 1, text("/a")), ["remove /a"]],
    ["MKDIR", request(14, 1, text("/a"), uint32(0)), ["mkdir /a"]],
    ["RMDIR", request(15, 1, text("/a")), ["rmdir /a"]],
    ["STAT", request(17, 1, text("/a")), ["stat /a"]],
    ["RENAME", request(18, 1, text("/a"), text("/b")), ["rename /a", "write /b"]],
    ["READLINK", request(19, 1, text("/a")), ["readlink /a"]],
    ["SYMLINK, target first as OpenSSH has it", request(20, 1, text("/a"), text("/b")), ["stat /a", "link /b"]],
    ["posix-rename", extended("posix-rename@openssh.com", text("/a"), text("/b")), ["rename /a", "write /b"]],
    ["hardlink", extended("hardlink@openssh.com", text("/a"), text("/b")), ["read /a", "link /b"]],
    ["lsetstat", extended("lsetstat@openssh.com", text("/a"), uint32(0)), ["setstat /a"]],
    ["statvfs", extended("statvfs@openssh.com", text("/a")), ["stat /a"]],
  ];
  for (const [name, bytes, expected] of judged)
    it(`${name} is judged by the files that it names`, () => {
      const pieces = new SftpGate().push(bytes);
      expect(pieces).toHaveLength(1);
      expect(accesses(pieces[0])).toEqual(expected);
      expect(pieces[0]?.bytes.equals(bytes)).toBe(true);
    });

  it("that names no file goes on as it is", () => {
    for (const bytes of [
      INIT,
      write(70_000),
      request(4, 1, text("h")),
      request(16, 1, text(".")),
      extended("fsync@openssh.com", text("h")),
    ])
      expect(new SftpGate().push(bytes).every(({ kind }) => kind === "bytes")).toBe(true);
  });

  it("that is not known is not passed on", () => {
    expect(new SftpGate().push(extended("new@example.com"))[0]).toMatchObject({
      kind: "unknown",
      id: 9,
      name: "new@example.com",
    });
    expect(new SftpGate().push(request(99, 5))[0]).toMatchObject({ kind: "unknown", id: 5 });
  });

  it("that is too long to be one ends the session", () => {
    expect(() => new SftpGate().push(Buffer.concat([uint32(65_537), Buffer.of(3)]))).toThrow(
      /not the SSH file transfer protocol/,
    );
    expect(() => new SftpGate().push(Buffer.concat([uint32(262_145), Buffer.of(6)]))).toThrow(
      /not the SSH file transfer protocol/,
    );
    expect(() => new SftpGate().push(Buffer.concat([uint32(0), Buffer.of(3)]))).toThrow(
      /not the SSH file transfer protocol/,
    );
  });

  it("whose path holds a NUL, which the server would end it at, ends the session", () => {
    expect(() => new SftpGate().push(open("/a\0", 1))).toThrow(/NUL/);
    expect(() => new SftpGate().push(request(13, 1, text("/a\0b")))).toThrow(/NUL/);
  });

  it("that names less than it says ends the session, and nothing of it is passed", () => {
    expect(() => new SftpGate().push(request(13, 1, uint32(500), Buffer.from("/a")))).toThrow(RangeError);
  });
});

describe("the stream of requests", () => {
  const stream = Buffer.concat([
    INIT,
    open("/in", 2),
    write(3_000),
    request(18, 2, text("/a"), text("/b")),
    write(10),
    open("/out", 1),
  ]);

  it("is the same pieces however it is cut, and every byte stands in one of them", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 700 }), { maxLength: 60 }), (cuts) => {
        const gate = new SftpGate();
        const pieces: Piece[] = [];
        let at = 0;
        for (const cut of [...cuts, stream.length]) {
          pieces.push(
            ...gate.push(stream.subarray(at, at + cut)).map((piece) => ({ ...piece, bytes: Buffer.from(piece.bytes) })),
          );
          at = Math.min(at + cut, stream.length);
        }
        expect(Buffer.concat(pieces.map(({ bytes }) => bytes)).equals(stream)).toBe(true);
        expect(pieces.filter(({ kind }) => kind === "request").flatMap(accesses)).toEqual([
          "write /in",
          "rename /a",
          "write /b",
          "read /out",
        ]);
      }),
    );
  });

  it("takes an answer of ours only between two of the server's", () => {
    const answer = refusedRequest(1, "no");
    fc.assert(
      fc.property(fc.integer({ min: 1, max: answer.length - 1 }), (cut) => {
        const gate = new SftpGate();
        expect(gate.isBetweenAnswers).toBe(true);
        gate.answered(answer.subarray(0, cut));
        expect(gate.isBetweenAnswers).toBe(false);
        gate.answered(answer.subarray(cut));
        expect(gate.isBetweenAnswers).toBe(true);
      }),
    );
  });
});

describe("a change of mode and times by a handle (FSETSTAT)", () => {
  const answer = (type: number, id: number, ...fields: Buffer[]): Buffer => request(type, id, ...fields);
  const handle = (id: number, name: string): Buffer => answer(102, id, text(name));
  const opened = (id: number, path: string, flags: number): Buffer =>
    request(3, id, text(path), uint32(flags), uint32(0));
  const change = (name: string): Buffer => request(10, 99, text(name), uint32(4), uint32(0o777));
  const outcome = (gate: SftpGate, name: string): readonly string[] => accesses(gate.push(change(name))[0]);

  it("goes on where the file was opened for writing", () => {
    const gate = new SftpGate();
    gate.push(opened(1, "/w", 2));
    gate.answered(handle(1, "h"));
    expect(outcome(gate, "h")).toEqual(["bytes"]);
  });

  it("is judged as a change of the path that was opened for reading, or as a folder", () => {
    const gate = new SftpGate();
    gate.push(Buffer.concat([opened(1, "/r", 1), opened(2, "/both", 3)]));
    gate.answered(Buffer.concat([answer(2, 3), handle(2, "b"), handle(1, "h")]));
    expect(outcome(gate, "h")).toEqual(["setstat /r"]);
    expect(outcome(gate, "b")).toEqual(["bytes"]);
  });

  const unknown: readonly [name: string, play: (gate: SftpGate) => void][] = [
    ["was never given", () => {}],
    ["has not been answered yet", (gate) => void gate.push(opened(1, "/w", 2))],
    ["the server refused", (gate) => (gate.push(opened(1, "/w", 2)), gate.answered(refusedRequest(1, "no")))],
    [
      "answers two requests of one id",
      (gate) => {
        gate.push(Buffer.concat([opened(1, "/r", 1), opened(1, "/w", 2)]));
        gate.answered(handle(1, "h"));
      },
    ],
    [
      "was closed",
      (gate) => {
        gate.push(opened(1, "/w", 2));
        gate.answered(handle(1, "h"));
        gate.push(request(4, 2, text("h")));
      },
    ],
    [
      "is one of more than are remembered",
      (gate) => {
        for (let id = 0; id < 1_024; id++) {
          gate.push(opened(id, "/w", 2));
          gate.answered(handle(id, `h${id}`));
        }
        gate.push(opened(5_000, "/w", 2));
        gate.answered(handle(5_000, "h"));
      },
    ],
  ];
  for (const [name, play] of unknown)
    it(`is refused for a handle that ${name}`, () => {
      const gate = new SftpGate();
      play(gate);
      expect(outcome(gate, "h")).toEqual(["unknown"]);
    });

  it("by a handle that the server gives again is judged by what it stands for now", () => {
    const gate = new SftpGate();
    gate.push(opened(1, "/w", 2));
    gate.answered(handle(1, "h"));
    gate.push(Buffer.concat([request(4, 2, text("h")), opened(3, "/r", 1)]));
    gate.answered(Buffer.concat([refusedRequest(2, ""), handle(3, "h")]));
    expect(outcome(gate, "h")).toEqual(["setstat /r"]);
  });

  it("is judged alike however the server's answers are cut, and answers of ours stand between them alone", () => {
    const answers = [handle(1, "first"), answer(103, 9, text(Buffer.alloc(900, 7))), handle(2, "x".repeat(256))];
    const stream = Buffer.concat(answers);
    const ends = new Set(answers.map((_, index) => lengthOf(answers.slice(0, index + 1))));
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 400 }), { maxLength: 60 }), (cuts) => {
        const gate = new SftpGate();
        gate.push(Buffer.concat([opened(1, "/r", 1), opened(2, "/w", 2)]));
        let at = 0;
        for (const cut of [...cuts, stream.length]) {
          gate.answered(stream.subarray(at, at + cut));
          at = Math.min(at + cut, stream.length);
          expect(gate.isBetweenAnswers).toBe(ends.has(at));
        }
        expect(outcome(gate, "first")).toEqual(["setstat /r"]);
        expect(outcome(gate, "x".repeat(256))).toEqual(["bytes"]);
      }),
    );
  });
});

function lengthOf(parts: readonly Buffer[]): number {
  return parts.reduce((sum, { length }) => sum + length, 0);
}
