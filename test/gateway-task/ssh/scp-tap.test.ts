import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { FLAG_REDACTED } from "../../../core/recording/frame.ts";
import { ssh } from "../../setup/ssh-bytes.ts";
import { client, flagged, interpret, MINE, ofType, opened, recut, type Step, target, THEIRS } from "./interpreter-kit.ts"; // prettier-ignore

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
const says = (text: string): Step => client(ssh.data(THEIRS, text));
const answers = (text: string): Step => target(ssh.data(MINE, text));

const told = (...steps: readonly Step[]) => {
  const all = [...opened(), client(ssh.exec(THEIRS, "scp -t /tmp")), target(ssh.success(MINE)), ...steps];
  const events = interpret(all);
  expect(
    interpret(
      recut(
        all,
        Array.from({ length: 60 }, (_, n) => n),
      ),
    ),
  ).toEqual(events);
  return { files: ofType(events, "file"), lost: ofType(events, "not-followed") };
};

describe("the old scp protocol, as the interpreter tells it", () => {
  test("a client that does not wait for answers is followed all the same", () => {
    const { files } = told(says("C0644 3 a\nabc\0C0600 2 b\nxy\0"), answers("\0\0\0\0\0"));
    expect(files).toMatchObject([
      { operation: "write", path: "a", status: "unknown", written: { bytes: 3, sha256: sha256("abc") } },
      { path: "b", written: { bytes: 2, sha256: sha256("xy") }, attributes: { permissions: 0o600, size: 2 } },
    ]);
  });

  test("a folder that the sink does not take is none that files are in", () => {
    const { files } = told(
      answers("\0"),
      says("D0755 0 d\n"),
      answers("\x01scp: d: Permission denied\n"),
      says("C0644 1 a\n"),
      answers("\0"),
      says("x\0"),
      answers("\0"),
    );
    expect(files).toMatchObject([
      { operation: "mkdir", path: "d", status: "failure", message: "scp: d: Permission denied" },
      { operation: "write", path: "a", status: "ok" },
    ]);
  });

  test("a file that the source could not read to its end, or the sink not write, has failed", () => {
    const { files } = told(
      says("C0644 2 a\n"),
      answers("\0"),
      says("xx\x01lost contact\n"),
      answers("\0"),
      says("C0644 2 b\n"),
      answers("\0"),
      says("yy\0"),
      answers("\x01disk full\n"),
    );
    expect(files).toMatchObject([
      { path: "a", status: "failure", message: "lost contact", written: { bytes: 2 } },
      { path: "b", status: "failure", message: "disk full", written: { bytes: 2 } },
    ]);
  });

  test("what was replaced before it was stored has no hash", () => {
    const { files } = told(says("C0644 2 a\n"), answers("\0"), flagged(FLAG_REDACTED, says("**")), says("\0"));
    expect(files[0]?.written).toEqual({ bytes: 2 });
  });

  test("what is not of the protocol is followed no further, and said so once", () => {
    for (const steps of [[says("hello\nthere\n")], [answers("$ ")], [says("x".repeat(10_000))]])
      expect(told(...steps).lost).toHaveLength(1);
  });
});
