/** Words that open what another word ends (bash(1), Compound Commands). */
const OPENS: Readonly<Record<string, string>> = {
  if: "fi",
  for: "done",
  while: "done",
  until: "done",
  select: "done",
  case: "esac",
  "{": "}",
};
/** Words behind which a command begins. */
const BEFORE_COMMANDS: ReadonlySet<string> = new Set([
  "if",
  "then",
  "elif",
  "else",
  "while",
  "until",
  "do",
  "!",
  "{",
  "time",
  "in",
]);
const WORD = /[^\s;&|()<>"'`$\\#]+/y;
const HEREDOC = /<<(-?)[ \t]*((?:\\.|'[^'\n]*'|"[^"\n]*"|[^\s;&|()<>'"\\])+)/y;

interface Heredoc {
  readonly end: string;
  readonly dashed: boolean;
}

/** What was read is let go of in steps of so many characters. */
const LET_GO = 1_024;

/**
 * Whether a shell would run a text, and not read on: no quote, substitution, compound command or here-document is open, and it
 * does not end in a backslash or an operator that takes more. It only decides when to ask for more: the whole is judged.
 * A text comes line by line, and each is read once.
 */
export class Completeness {
  /** From what is not read yet on, and a character before it. */
  #text = "";
  #begun = false;
  #at = 0;
  /** Up to where an open quote has been looked through for its end. */
  #looked = 0;
  /** What closes what is open, innermost last. */
  readonly #open: string[] = [];
  #heredocs: Heredoc[] = [];
  /** The bodies of the here-documents come; and whether a line of them has ended where the text does. */
  #inBodies = false;
  #bodyEnded = false;
  #atCommand = true;
  #operator = false;

  /** Whether the text is whole with this line, which has no line end. */
  push(line: string): boolean {
    this.#letGo();
    this.#text += this.#begun ? `\n${line}` : line;
    this.#begun = true;
    if (this.#bodyEnded) this.#at++;
    this.#bodyEnded = false;
    while (this.#at < this.#text.length) {
      const at = this.#at;
      if (this.#inBodies) this.#body();
      else if (!this.#step()) {
        this.#at = at; // to be read again when there is more of it
        return false;
      }
    }
    return this.#open.length === 0 && this.#heredocs.length === 0 && !this.#operator;
  }

  #letGo(): void {
    if (this.#at <= LET_GO) return;
    const gone = this.#at - 1;
    this.#text = this.#text.slice(gone);
    this.#at -= gone;
    this.#looked = Math.max(this.#looked - gone, 0);
  }

  /** False where the text ends within something. */
  #step(): boolean {
    const character = this.#text[this.#at] as string;
    if (character === "\\") {
      this.#word();
      this.#at += 2;
      return this.#at <= this.#text.length && !(this.#at === this.#text.length && this.#text.endsWith("\n"));
    }
    const top = this.#open.at(-1);
    if (character === "$") return this.#dollar();
    if (character === "`") return this.#toggle("`");
    if (character === '"') return this.#toggle('"');
    if (top === '"') return this.#skip(1);
    if (character === "'") return this.#quote(/'/g, 1);
    if (top === "${") {
      if (character === "}") this.#open.pop();
      return this.#skip(1);
    }
    if (top === "))") {
      if (this.#text.startsWith("))", this.#at)) this.#open.pop();
      return this.#skip(this.#open.at(-1) === top ? 1 : 2);
    }
    return this.#command(character);
  }

  #command(character: string): boolean {
    if (character === "\n") return this.#newline();
    if (/\s/.test(character)) return this.#skip(1);
    if (character === "#" && /^$|[\s;&|()]/.test(this.#text[this.#at - 1] ?? "")) {
      const end = this.#text.indexOf("\n", this.#at);
      this.#at = end < 0 ? this.#text.length : end;
      return true;
    }
    if (character === "<" || character === ">") return this.#redirect();
    if (character === "(" || character === ")") return this.#parenthesis(character);
    if (character === ";" || character === "&" || character === "|") {
      this.#operator = character === "|" || this.#text.startsWith("&&", this.#at);
      this.#atCommand = true;
      return this.#skip(this.#text.startsWith(character + character, this.#at) ? 2 : 1);
    }
    WORD.lastIndex = this.#at;
    const word = WORD.exec(this.#text)?.[0] ?? character;
    this.#at += word.length;
    this.#reserved(word);
    return true;
  }

  #reserved(word: string): void {
    const begins = this.#atCommand;
    this.#word();
    if (begins && word === this.#open.at(-1)) return void this.#open.pop();
    const end = begins && Object.hasOwn(OPENS, word) ? OPENS[word] : undefined;
    if (end !== undefined) this.#open.push(end);
    this.#atCommand = (begins || word === "in") && BEFORE_COMMANDS.has(word);
  }

  #word(): void {
    this.#atCommand = this.#operator = false;
  }

  #skip(length: number): true {
    this.#at += length;
    return true;
  }

  #dollar(): boolean {
    this.#word();
    const inText = this.#open.at(-1) === '"';
    for (const [begin, end] of [
      ["$((", "))"],
      ["$(", ")"],
      ["${", "${"],
    ] as const) {
      if (!this.#text.startsWith(begin, this.#at)) continue;
      this.#open.push(end);
      this.#atCommand = end === ")";
      return this.#skip(begin.length);
    }
    if (!inText && this.#text.startsWith("$'", this.#at)) return this.#quote(/\\[^]|'/g, 2);
    return this.#skip(1);
  }

  #toggle(quote: string): true {
    if (this.#open.at(-1) === quote) this.#open.pop();
    else this.#open.push(quote);
    this.#word();
    if (quote === "`") this.#atCommand = this.#open.at(-1) === quote;
    return this.#skip(1);
  }

  /** @param end finds what ends a quote, and what escapes that where it can be escaped */
  #quote(end: RegExp, opening: number): boolean {
    this.#word();
    let looked = Math.max(this.#at + opening, this.#looked);
    end.lastIndex = looked;
    for (let found = end.exec(this.#text); found !== null; found = end.exec(this.#text)) {
      looked = end.lastIndex;
      if (found[0] !== "'") continue;
      this.#at = looked;
      this.#looked = 0;
      return true;
    }
    // Of a plain one there is nothing in what was looked through; an escape may go on in the next line.
    this.#looked = opening === 1 ? this.#text.length : looked;
    return false;
  }

  #parenthesis(character: string): true {
    this.#operator = false;
    if (character === ")") {
      if (this.#open.at(-1) === ")") this.#open.pop();
      // Behind a pattern of `case`, and the name of a function, a command follows.
      this.#atCommand = this.#open.at(-1) === "esac" || this.#text[this.#at - 1] === "(";
      return this.#skip(1);
    }
    const arithmetic = this.#atCommand && this.#text.startsWith("((", this.#at);
    // `(a)` may begin a pattern of `case`; nothing then is open.
    if (this.#open.at(-1) !== "esac") this.#open.push(arithmetic ? "))" : ")");
    this.#atCommand = true;
    return this.#skip(arithmetic ? 2 : 1);
  }

  #redirect(): true {
    this.#word();
    if (this.#text.startsWith("<<<", this.#at)) return this.#skip(3);
    HEREDOC.lastIndex = this.#at;
    const found = HEREDOC.exec(this.#text);
    if (found === null) return this.#skip(1);
    this.#heredocs.push({ end: (found[2] ?? "").replaceAll(/\\(.)|['"]/g, "$1"), dashed: found[1] === "-" });
    return this.#skip(found[0].length);
  }

  #newline(): true {
    this.#atCommand = true;
    this.#inBodies = this.#heredocs.length > 0;
    return this.#skip(1);
  }

  /** A line of a here-document. */
  #body(): void {
    const newline = this.#text.indexOf("\n", this.#at);
    this.#bodyEnded = newline < 0;
    const line = this.#text.slice(this.#at, newline < 0 ? undefined : newline);
    const [first] = this.#heredocs;
    if (first !== undefined && (first.dashed ? line.replace(/^\t+/, "") : line) === first.end) this.#heredocs.shift();
    this.#inBodies = this.#heredocs.length > 0;
    this.#at = newline < 0 ? this.#text.length : newline + 1;
  }
}
