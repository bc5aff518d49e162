import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { ssh } from "../../setup/ssh-bytes.ts";
import { client, closed, MINE, opened, type Step, target, THEIRS } from "./interpreter-kit.ts";

interface Line {
  readonly via?: "exec" | "subsystem";
  readonly text?: string;
  readonly by?: "client" | "target";
  readonly data?: string;
  readonly status?: number;
}

/** What SSH takes into one message. */
const MESSAGE_BYTES = 32 << 10;

/** A folder that is gone after the test, and in it a program that a client starts as its ssh. */
export async function captureFolder() {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-ssh-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const program = join(folder, "ssh");
  const standIn = join(import.meta.dirname, "ssh-stand-in.ts");
  await writeFile(
    program,
    `#!/bin/sh\nexec '${process.execPath}' --disable-warning=ExperimentalWarning '${standIn}' "$@"\n`,
  );
  await chmod(program, 0o755);
  const file = join(folder, "capture");
  return {
    folder,
    program,
    env: { ...process.env, CAPTURE: file, GIT_SSH: program, GIT_SSH_VARIANT: "simple" },
    steps: () => stepsOf(file),
  };
}

/** What crossed, as a recording of a session that did only that would hold it. */
async function stepsOf(file: string): Promise<Step[]> {
  const lines = (await readFile(file, "utf8")).trim().split("\n").map((line) => JSON.parse(line) as Line); // prettier-ignore
  const [{ via, text = "" } = {}] = lines;
  return [
    ...opened(),
    client(via === "subsystem" ? ssh.subsystem(THEIRS, text) : ssh.exec(THEIRS, text)),
    target(ssh.success(MINE)),
    ...lines.flatMap(({ by, data = "", status }) => {
      if (status !== undefined) return [target(ssh.exit(MINE, status))];
      return by === undefined ? [] : dataSteps(by, Buffer.from(data, "base64"));
    }),
    ...closed(),
  ];
}

function dataSteps(by: "client" | "target", bytes: Buffer): Step[] {
  const steps: Step[] = [];
  for (let at = 0; at < bytes.length; at += MESSAGE_BYTES) {
    const piece = bytes.subarray(at, at + MESSAGE_BYTES);
    steps.push(by === "client" ? client(ssh.data(THEIRS, piece)) : target(ssh.data(MINE, piece)));
  }
  return steps;
}
