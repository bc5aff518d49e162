import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { FLAG_REDACTED, FLAG_WITHHELD } from "../../../core/recording/frame.ts";
import { flagged, interpret, ofType, recut, type Step } from "./interpreter-kit.ts";
import { answers, asks, begun, READ, sftp, WRITE } from "./sftp-kit.ts";

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
const told = (...steps: readonly Step[]) => {
  const all = [...begun(), ...steps];
  const events = interpret(all);
  for (const cuts of [[1, 2, 3, 5, 9, 14], Array.from({ length: 200 }, (_, n) => n)])
    expect(interpret(recut(all, cuts))).toEqual(events);
  return { files: ofType(events, "file"), lost: ofType(events, "not-followed") };
};

describe("sftp, as the interpreter tells it", () => {
  test("what was written in order has a hash, wherever in the file it began", () => {
    const { files } = told(
      asks(sftp.open(1, "/a", WRITE)),
      answers(sftp.handle(1, "h")),
      asks(sftp.write(2, "h", 100, "one"), sftp.write(3, "h", 103, "two")),
      answers(sftp.status(2, 0), sftp.status(3, 0)),
      asks(sftp.close(4, "h")),
      answers(sftp.status(4, 0)),
    );
    expect(files).toMatchObject([
      { operation: "write", path: "/a", status: "ok", written: { bytes: 6, offset: 100, sha256: sha256("onetwo") } },
    ]);
  });

  test("what was not read in order has none, and is counted all the same", () => {
    const { files } = told(
      asks(sftp.open(1, "/a", READ)),
      answers(sftp.handle(1, "h")),
      asks(sftp.read(2, "h", 0), sftp.read(3, "h", 8)),
      answers(sftp.data(2, "four"), sftp.data(3, "four")),
      asks(sftp.close(4, "h")),
      answers(sftp.status(4, 0)),
    );
    expect(files).toMatchObject([{ operation: "read", read: { bytes: 8 } }]);
    expect(files[0]?.read).not.toHaveProperty("sha256");
  });

  test("what was replaced before it was stored has no hash: it would be another file's", () => {
    const { files } = told(
      asks(sftp.open(1, "/a", WRITE)),
      answers(sftp.handle(1, "h")),
      flagged(FLAG_REDACTED, asks(sftp.write(2, "h", 0, "****"))),
      answers(sftp.status(2, 0)),
      asks(sftp.close(4, "h")),
      answers(sftp.status(4, 0)),
    );
    expect(files[0]?.written).toEqual({ bytes: 4 });
  });

  test("a client that guesses its handle, and writes before it is given it, is told as any other", () => {
    const { files } = told(
      asks(sftp.open(1, "/a", WRITE), sftp.write(2, "h", 0, "evil"), sftp.close(3, "h")),
      answers(sftp.handle(1, "h"), sftp.status(2, 0), sftp.status(3, 0)),
    );
    expect(files).toMatchObject([{ operation: "write", path: "/a", status: "ok", written: { bytes: 4 } }]);
    expect(files[0]?.written).not.toHaveProperty("sha256");
  });

  test("a write that fails is what the file's closing tells", () => {
    const { files } = told(
      asks(sftp.open(1, "/a", WRITE)),
      answers(sftp.handle(1, "h")),
      asks(sftp.write(2, "h", 0, "one")),
      answers(sftp.status(2, 4, "disk full")),
      asks(sftp.close(3, "h")),
      answers(sftp.status(3, 0)),
    );
    expect(files).toMatchObject([{ operation: "write", status: "failure", message: "disk full" }]);
  });

  test("an operation that policy withheld is refused, with the status that the client was given", () => {
    const { files } = told(
      flagged(FLAG_WITHHELD, asks(sftp.remove(1, "/etc/passwd"))),
      answers(sftp.status(1, 3, "blocked by policy")),
      asks(sftp.open(2, "/a", WRITE)),
      answers(sftp.handle(2, "h")),
      flagged(FLAG_WITHHELD, asks(sftp.write(3, "h", 0, "no"))),
      answers(sftp.status(3, 3)),
    );
    expect(files).toMatchObject([
      { operation: "remove", path: "/etc/passwd", refused: true, status: "permission denied", message: "blocked by policy" }, // prettier-ignore
      { operation: "write", path: "/a", refused: true, status: "permission denied" },
      { operation: "write", path: "/a", status: "unknown", written: { bytes: 0 } },
    ]);
  });

  test("that a file is not there is no event when a client looks for it, that it may not look is one", () => {
    const { files } = told(
      asks(sftp.stat(1, "/nowhere"), sftp.stat(2, "/root/x"), sftp.open(3, "/nowhere", READ)),
      answers(sftp.status(1, 2), sftp.status(2, 3), sftp.status(3, 2)),
    );
    expect(files).toMatchObject([
      { operation: "stat", path: "/root/x", status: "permission denied" },
      { operation: "open", path: "/nowhere", status: "no such file" },
    ]);
  });

  test("an extension that it does not know is told by its name, one that shows and changes nothing is not", () => {
    const { files } = told(
      asks(sftp.extended(1, "limits@openssh.com"), sftp.extended(2, "format-disk@example.org")),
      answers(sftp.status(1, 0), sftp.status(2, 0)),
    );
    expect(files).toMatchObject([{ operation: "extended", path: "format-disk@example.org" }]);
  });

  test("a path over 4 KiB is cut and says so", () => {
    const { files } = told(
      asks(sftp.rename(1, `/${"a".repeat(5_000)}`, `/${"b".repeat(5_000)}`), sftp.remove(2, "c".repeat(100_000))),
      answers(sftp.status(1, 0), sftp.status(2, 0)),
    );
    expect(files).toMatchObject([
      { operation: "rename", cut: true },
      { operation: "remove", cut: true, path: "c".repeat(4_096) },
    ]);
    expect(files[0]?.path).toHaveLength(4_096);
  });

  test("a client that is too far ahead, or says the same id twice, is followed no further, and says so once", () => {
    const many = Array.from({ length: 5_000 }, (_, n) => sftp.stat(n, "/x"));
    expect(told(asks(...many)).lost).toMatchObject([
      { channel: 1, message: expect.stringContaining("too many") as string },
    ]);
    expect(told(asks(sftp.stat(1, "/x"), sftp.stat(1, "/y"))).lost).toHaveLength(1);
  });

  test("another version, or what is no packet at all, is followed no further", () => {
    expect(told(answers(sftp.version(6))).lost).toHaveLength(1);
    expect(told(asks(Buffer.from("SSH-2.0-nonsense and more of it")), asks(sftp.remove(1, "/x"))).lost).toHaveLength(1);
  });

  test("what is unanswered when the channel ends has an unknown status", () => {
    expect(told(asks(sftp.remove(1, "/x"))).files).toMatchObject([{ operation: "remove", status: "unknown" }]);
  });
});
