import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Completeness } from "../../../../gateway-task/ssh/guarded/whole-line.ts";

const WHOLE = [
  "", "ls", "ls;", "sleep 1 &", "echo 'a' \"b\" $'it\\'s'", "echo \\'", "echo it\\'s \\\" \\`", "echo $(ls) `ls` ${a:-b} $((1 << 2))",
  "echo a # it's a comment (", "echo a#'b'", "cat <<END\na 'b\nEND", "cat <<-END\n\ta\n\tEND", "cat <<'A' <<B\n1\nA\n2\nB", "cat <<<word",
  "if true; then ls; fi", "for i in 1 2; do echo $i; done", "while read a; do echo $a; done <f", "case a in a) ls;; (b) ls;; esac",
  "{ ls; }", "(cd /; ls)", "f() { ls; }", "echo if", "echo }", "echo {a,b}", "((a = 1 << 2))", "a=(1 2)", "[[ a == b ]] && ls", "ls\nls", "echo $#", "echo \"$(echo \"a b\")\"",
  "find . -exec ls {} \\;", "echo done", "if ls; then for a in b; do ls; done; else ls; fi", "echo in", "git log --format='%h' | head",
]; // prettier-ignore
const OPEN = [
  "echo 'a", 'echo "a', "echo \\", "echo $'a\\'", "echo $(ls", "echo `ls", "echo ${a", "echo $((1", "cat <<END", "cat <<END\na", "cat <<END\na\nEND b",
  "cat <<A <<B\nA", "if true", "if true; then", "for i in 1 2", "for i in 1 2; do", "while :; do ls", "case a in", "case a in a) ls;;", "{ ls", "(ls", "f() {",
  "ls |", "ls &&", "ls ||", "ls | ", "ls && # and", "if ls; then for a in b; do ls; done", "echo \"$(ls", "((a = 1", "echo 'a'\\", "a=(1",
]; // prettier-ignore

/** Whether a text is whole that comes line by line. */
function isWhole(text: string): boolean {
  const completeness = new Completeness();
  return text
    .split("\n")
    .map((line) => completeness.push(line))
    .at(-1) as boolean;
}

describe("a shell runs", () => {
  it.each(WHOLE)("%j as it is", (text) => expect(isWhole(text)).toBe(true));
});

describe("a shell reads on behind", () => {
  it.each(OPEN)("%j", (text) => expect(isWhole(text)).toBe(false));
});

describe("a text that comes line by line", () => {
  it("is whole just where it is as one, with what came before it let go of", () => {
    const parts = [
      ...Array.from("'\"`\\\n\n\n (){};&|<#$"),
      "${",
      "}",
      "$(",
      "$'",
      "((",
      "))",
      "<<A\n",
      "<<''\n",
      "<<-A\n",
      "A",
      "if ",
      "fi",
      "x".repeat(900),
      "a ",
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...parts), { maxLength: 40 }), (some) => {
        const text = some.join("");
        expect(isWhole(text)).toBe(new Completeness().push(text));
      }),
      { numRuns: 5_000 },
    );
  });

  it("is whole where a quote ends that was opened behind much else", () => {
    expect(isWhole(`${"x".repeat(2_000)} 'a\nb'`)).toBe(true);
    expect(isWhole(`${"x".repeat(2_000)} $'a\\'\nb'`)).toBe(true);
  });

  it("takes no longer for many lines than for one", () => {
    for (const line of ["(", "'", "x", "if x", "a \\", "$'"]) isWhole(`'\n${`${line}\n`.repeat(30_000)}`);
    for (const line of ["(", "if x", "cat <<A", "${"]) isWhole(`${line}\n`.repeat(30_000));
  });
});

describe("what is very long", () => {
  it("takes no long time", () => {
    for (const part of ["<", "(", "`", '"', "${", "$(", "\\", "'", "<<A\n", "if ", "case x in ", "a|"]) {
      const began = performance.now();
      isWhole(part.repeat((64 << 10) / part.length));
      expect(performance.now() - began).toBeLessThan(2_000);
    }
  });
});
