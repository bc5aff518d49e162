import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KeptState, readLeft } from "../../../../gateway-task/ssh/guarded/kept-state.ts";
import { OutputFilter } from "../../../../gateway-task/ssh/guarded/output-filter.ts";
import { type Found, type KeptVariable, lineWithin, wrapLine } from "../../../../gateway-task/ssh/guarded/wrapper.ts";

const MARKER = ["0011", "2233"] as const;
const NOTHING: Found = { status: 0, umask: "022", directory: undefined, variables: [] };
const variable = (name: string, value: string, secret = false): KeptVariable => ({
  kind: "x",
  name,
  value: Buffer.from(value),
  secret,
});

function wrapped(line: string | Buffer, found: Partial<Found> = {}): { command: string; recorded: string } {
  const made = wrapLine(Buffer.from(line), { ...NOTHING, ...found }, MARKER);
  if (made === undefined) throw new Error("too long");
  return { command: made.command.toString(), recorded: made.recorded.toString() };
}

describe("a line within the command that runs it", () => {
  const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));
  const hostile = fc.array(
    fc.constantFrom("'", "\\", '"', "!", "\n", "\r", "$", "`", "\\0", "\\047", "\\c", "%", "\0", "a", " ", ";"),
  );

  it("is the one that was entered, to the byte, whatever is in it", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          bytes,
          hostile.map((parts) => Buffer.from(parts.join(""))),
        ),
        (line) => {
          const { command } = wrapped(line, { directory: line, variables: [variable("A", line.toString())] });
          expect(lineWithin(command)).toBe(line.toString("utf8"));
        },
      ),
    );
  });

  it("stands in quotes that nothing in it can end, for any shell: it has no quote, backslash alone, newline or exclamation mark", () => {
    fc.assert(
      fc.property(hostile, (parts) => {
        const { command } = wrapped(parts.join(""));
        const [, script = "", , ...rest] = command.split("'");
        expect(script).not.toMatch(/[!\n\r]|\\[\\']/);
        expect(rest).toHaveLength(4);
        expect(rest[2]).toMatch(/^(?:[^\\!\n\r\0]|\\0[0-7]{3})*$/);
      }),
    );
  });

  it("is read of nothing that was made otherwise", () => {
    const { command } = wrapped("ls");
    for (const other of [
      `${command}; rm x`,
      `${command} 'rm`,
      ` ${command}`,
      command.replace("sallyport 0011", "sallyport $(rm)"),
      command.replace("exec bash", "exec sh"),
      command.replace("'ls'", "'l's'"),
      `${command} x PATH /evil`,
      "ls",
    ])
      expect(lineWithin(other)).toBeUndefined();
  });

  it("is stored without the values of variables that call themselves secrets, with the same length", () => {
    const { command, recorded } = wrapped("ls", { variables: [variable("A_TOKEN", "it's", true), variable("B", "b")] });
    expect(command).toContain("it\\0047s");
    expect(recorded).toBe(command.replace("it\\0047s", "********"));
    expect(lineWithin(recorded)).toBe("ls");
  });

  it("is refused where the target's kernel would", () => {
    expect(wrapLine(Buffer.alloc(130_000, "a"), NOTHING, MARKER)).toBeUndefined();
    expect(wrapLine(Buffer.alloc(60_000, "'"), NOTHING, MARKER)).toBeUndefined();
  });
});

/** Runs lines one after the other as the gateway does, by a log-in shell. */
function ran(shell: string, lines: readonly string[]): string[] {
  const kept = new KeptState();
  return [":", ...lines].map((line) => {
    const { command } = wrapped(line, kept.found(0));
    const env = { PATH: process.env["PATH"], HOME: "/", BASH_ENV: "/nowhere", "BASH_FUNC_echo%%": "() { printf evil; }" };
    const output = execFileSync(shell, ["-c", command], { env, cwd: "/", stdio: ["ignore", "pipe", "pipe"] });
    const filter = new OutputFilter(`${MARKER[1]}${MARKER[0]}`);
    const shown = filter.push(output);
    const left = readLeft(filter.told ?? "");
    if (left !== undefined) kept.leave(left);
    return shown.toString();
  }).slice(1); // prettier-ignore
}

describe.each(["sh", "bash"])("by way of %s", (shell) => {
  it("a line finds what the one before it has left, and nothing of the gateway's own", () => {
    const told = ran(shell, [
      `cd /usr; A="1  2"; export B=$'it\\'s\\n'; umask 007; f() { :; }; alias ls=rm; IFS=,; set -f`,
      'echo "$A$B$PWD $#"; umask; type f ls 2>&1 | head -1; printf %q "$IFS"; echo $-',
      "unset A; cd /",
      "echo ${A-none} $OLDPWD",
    ]);
    expect(told[1]).toMatch(/^1 {2}2it's\n\/usr 0\n0007\n.*f: not found\n\$' \\t\\n'hpBc\n$/);
    expect(told[3]).toBe("none /usr\n");
  });

  it("no function of the environment takes a command's place", () => {
    expect(ran(shell, ["echo mine"])).toEqual(["mine\n"]);
  });
});

describe("what is kept", () => {
  const left = (variables: Record<string, string>, directory = "/home") => {
    const fields = [
      "k",
      "0022\n",
      directory,
      ...Object.entries(variables).map(([name, value]) => `x${name}=${value}`),
      ".",
    ];
    const read = readLeft(Buffer.from(fields.map((field) => `${field}\0`).join("")).toString("hex"));
    if (read === undefined) throw new Error("not read");
    return read;
  };

  it("is what differs from what a command finds", () => {
    const kept = new KeptState();
    kept.leave(left({ PATH: "/bin", HOME: "/home" }));
    kept.leave(left({ PATH: "/bin", A: "1" }, "/etc"));
    const { directory, variables } = kept.found(0);
    expect(directory?.toString()).toBe("/etc");
    expect(variables.map(({ kind, name }) => `${kind}${name}`)).toEqual(["xA", "uHOME"]);
  });

  it("is nothing that would change how the next line is read, or what runs before it", () => {
    const hostile = { BASH_ENV: "x", ENV: "x", PS4: "x", PROMPT_COMMAND: "x", SHELLOPTS: "x", BASHOPTS: "x", IFS: "x", POSIXLY_CORRECT: "x", "BASH_FUNC_ls%%": "() { :; }", "A[$(x)]": "x", "a b": "x", "": "x", __sallyport_line: "x" }; // prettier-ignore
    const kept = new KeptState();
    kept.leave(left({}));
    kept.leave(left(hostile));
    expect(kept.found(0).variables).toEqual([]);
  });

  it("is no encoding in which bash would find quotes where the judge found none", () => {
    const kept = new KeptState();
    kept.leave(left({}));
    kept.leave(left({ LC_ALL: "zh_CN.GBK", LANG: "ja_JP.SJIS", LC_CTYPE: "en_US.UTF-8", LC_TIME: "C" }));
    expect(kept.found(0).variables.map(({ name }) => name)).toEqual(["LC_CTYPE", "LC_TIME"]);
  });

  it("is bounded: what is more is not kept, and all else stays", () => {
    const kept = new KeptState();
    kept.leave(left({}));
    expect(kept.leave(left({ A: "a" }))).toBe(true);
    expect(kept.leave(left({ A: "a".repeat(50_000) }, "/etc"))).toBe(false);
    expect(kept.directory).toBeUndefined();
    expect(kept.found(0).variables).toHaveLength(1);
  });

  it("is read of nothing but what the wrapper writes", () => {
    for (const told of [
      "",
      "zz",
      "6",
      "6b00",
      Buffer.from("q\x000022\0/\0.\0").toString("hex"),
      Buffer.from("k\x000022\0/\0xA=1\0").toString("hex"),
      Buffer.from("k\0x\0/\0.\0").toString("hex"),
      Buffer.from("k\x000022\0relative\0.\0").toString("hex"),
    ])
      expect(readLeft(told)).toBeUndefined();
  });
});

describe("output", () => {
  it("is parted from what is told behind it, however it is cut", () => {
    const whole = Buffer.from("shown\x1e0011\x1eshown too\x1e22330011 6b 00\r\n0a\x1ebehind");
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (sizes) => {
        const filter = new OutputFilter("22330011");
        let shown = "";
        for (let at = 0, n = 0; at < whole.length; n++) {
          const size = sizes[n % sizes.length] ?? 1;
          shown += filter.push(whole.subarray(at, at + size)).toString();
          at += size;
        }
        shown += filter.finish().toString();
        expect([shown, filter.told]).toEqual(["shown\x1e0011\x1eshown toobehind", " 6b 00\r\n0a"]);
      }),
    );
  });

  it("is held back by no byte but what may begin the marker", () => {
    const filter = new OutputFilter("2233");
    expect(filter.push(Buffer.from("Password: ")).toString()).toBe("Password: ");
    expect(filter.push(Buffer.from("a\x1e22")).toString()).toBe("a");
    expect(filter.finish().toString()).toBe("\x1e22");
    expect(filter.told).toBeUndefined();
  });
});
