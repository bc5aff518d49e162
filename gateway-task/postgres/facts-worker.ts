import { parentPort } from "node:worker_threads";
import { loadSqlParser } from "../../core/policy/sql-parser.ts";
import { statementFacts } from "../../core/policy/statement-facts.ts";
import type { Parsed } from "./facts-reader.ts";

/** The thread that parses long statements. What comes before the parser is loaded waits in the port. */
await loadSqlParser();
parentPort?.on("message", ({ id, text }: { readonly id: number; readonly text: Uint8Array }) => {
  let answer: Parsed;
  try {
    answer = { id, facts: statementFacts(Buffer.from(text.buffer, text.byteOffset, text.byteLength)) };
  } catch (error) {
    answer = { id, failure: String(error) };
  }
  parentPort?.postMessage(answer);
});
