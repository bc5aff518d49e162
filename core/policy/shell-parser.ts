import { Language, Parser, type Tree, type TreeCursor } from "web-tree-sitter";

/** A part of a command's text, as tree-sitter's grammar of bash names it. */
export interface ShellNode {
  readonly type: string;
  /** What it is to the node around it, where the grammar says so: `name`, `argument`, `destination`, … */
  readonly field: string | undefined;
  /** In UTF-16 units of the text. */
  readonly start: number;
  readonly end: number;
  readonly children: readonly ShellNode[];
}

/** OpenSSH's own client sends no more in one packet; a tree takes some hundred times its text. */
export const MAX_COMMAND_BYTES = 64 * 1024;
/** No command that a person or a tool wrote comes near; each level takes a few frames of ours. */
const MAX_DEPTH = 200;
/**
 * The parser mends what it does not understand, in quadratic time: half a minute for 60,000 `<`. We do not want it mended, and
 * 64 KiB without a fault take 60 ms on an idle machine. What takes longer counts as not understood.
 */
const MAX_PARSE_MS = 250;

let parser: Parser | undefined;
let loading: Promise<void> | undefined;

/** Must have resolved once, in each thread, before anything is parsed; until then every command counts as not understood. */
export async function loadShellParser(): Promise<void> {
  loading ??= load().finally(() => {
    loading = undefined;
  });
  if (parser === undefined) await loading;
}

async function load(): Promise<void> {
  await Parser.init();
  const grammar = new URL(import.meta.resolve("tree-sitter-bash/tree-sitter-bash.wasm"));
  const language = await Language.load(decodeURIComponent(grammar.pathname));
  parser = new Parser().setLanguage(language);
}

/**
 * The tree of a command, as bash would read it; undefined where it cannot be told: too large, nested too deep, a syntax error,
 * characters that are none (what was not UTF-8). It is the parser's reading, and that parser is lenient: `soundTree` says whether it
 * can be relied on. Never throws.
 */
export function parseShell(text: string): ShellNode | undefined {
  if (parser === undefined || !text.isWellFormed() || /[\0\uFFFD]/.test(text)) return undefined;
  if (Buffer.byteLength(text) > MAX_COMMAND_BYTES) return undefined;
  let tree: Tree | null = null;
  try {
    const since = performance.now();
    tree = parser.parse(text, null, {
      progressCallback: ({ hasError }) => hasError || performance.now() - since > MAX_PARSE_MS,
    });
    if (tree === null || tree.rootNode.hasError) return undefined;
    const cursor = tree.walk();
    const root = copyOf(cursor, 0);
    cursor.delete();
    return root;
  } catch {
    // Too deep, or out of the parser's memory.
    return undefined;
  } finally {
    tree?.delete();
    // A parse that was stopped would else go on with the next text.
    parser.reset();
  }
}

function copyOf(cursor: TreeCursor, depth: number): ShellNode {
  if (depth > MAX_DEPTH) throw new RangeError("nested too deep");
  const children: ShellNode[] = [];
  const { nodeType: type, currentFieldName, startIndex: start, endIndex: end } = cursor;
  if (cursor.gotoFirstChild()) {
    do children.push(copyOf(cursor, depth + 1));
    while (cursor.gotoNextSibling());
    cursor.gotoParent();
  }
  return { type, field: currentFieldName ?? undefined, start, end, children };
}
