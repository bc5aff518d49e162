import { serialize } from "pg-protocol/dist/serializer.js";
import { COPIES, OTHERS } from "./interpreter-copies.ts";
import { SIMPLE } from "./interpreter-simple.ts";
import { answer, ask, functionCall, server, type Conversation } from "./interpreter-kit.ts";

const { query, parse, bind, execute, describe, close, sync, flush } = serialize;
const { ready, columns, row, complete, parsed, bound, error } = server;
const ID = columns(["id", 23]);
const IDS = [{ name: "id", type: 23, format: 0 }];
const run = (name: string, ...values: string[]): Buffer =>
  Buffer.concat([bind({ statement: name, values }), execute({})]);
const portal = describe({ type: "P" });

const extended: readonly Conversation[] = [
  {
    promise: "an unnamed statement is told with parameters by type",
    steps: [
      ask(
        parse({ text: "select $1, $2", types: [23, 25] }),
        bind({ values: ["1", null] }),
        portal,
        execute({}),
        sync(),
      ),
      answer(parsed(), bound(), ID, row("1"), complete("SELECT 1"), ready()),
    ],
    events: [
      {
        via: "extended",
        text: "select $1, $2",
        prepared: undefined,
        portal: undefined,
        parameters: [
          { type: 23, value: "1" },
          { type: 25, value: null },
        ],
        columns: IDS,
        rows: 1,
        output: [52, 106],
      },
    ],
  },
  {
    promise: "a prepared statement keeps text, types and columns for later executions",
    steps: [
      ask(parse({ name: "s", text: "select $1" }), describe({ type: "S", name: "s" }), sync()),
      answer(parsed(), server.parameters(20), ID, ready()),
      ask(run("s", "5"), sync()),
      answer(bound(), row("5"), complete("SELECT 1"), ready()),
      ask(bind({ statement: "s", values: [Buffer.from([0, 0, 0, 0, 0, 0, 1, 0])], binary: true }), execute({}), sync()),
      answer(bound(), row("5"), row("5"), complete("SELECT 2"), ready()),
    ],
    events: [
      { number: 1, text: "select $1", prepared: "s", parameters: [{ type: 20, value: "5" }], columns: IDS, rows: 1 },
      {
        number: 2,
        prepared: "s",
        parameters: [{ type: 20, value: "256" }],
        columns: [{ name: "id", type: 23, format: 1 }],
        rows: 2,
      },
    ],
  },
  {
    promise: "a Parse that fails on a name in use leaves the statement of that name as it was",
    steps: [
      ask(parse({ name: "s", text: "one" }), sync()),
      answer(parsed(), ready()),
      ask(parse({ name: "s", text: "two" }), sync(), run("s"), sync()),
      answer(error("42P05", "exists"), ready(), bound(), complete("ONE"), ready()),
      ask(close({ type: "S", name: "s" }), parse({ name: "s", text: "three" }), run("s"), sync()),
      answer(server.closed(), parsed(), bound(), complete("THREE"), ready()),
    ],
    events: [
      { text: "two", prepared: "s", outcome: "failed", sqlstate: "42P05" },
      { text: "one", outcome: "completed" },
      { text: "three", outcome: "completed" },
    ],
  },
  {
    promise: "a syntax error fails the Execute that its Parse was for, and skips the rest up to Sync",
    steps: [
      ask(
        parse({ text: "boom" }),
        run(""),
        parse({ name: "n", text: "next" }),
        run("n", "7"),
        query("also"),
        sync(),
        run("n"),
        sync(),
      ),
      answer(error("42601", "syntax"), ready(), error("26000", "no statement"), ready()),
    ],
    events: [
      { number: 1, text: "boom", outcome: "failed", sqlstate: "42601", message: "syntax" },
      { number: 2, text: "next", outcome: "skipped", parameters: [{ type: 0, value: "7" }] },
      { number: 3, text: "also", outcome: "skipped" },
      { number: 4, text: "", outcome: "failed", sqlstate: "26000" },
    ],
  },
  {
    promise: "what comes after an error and before its Sync is skipped, even if it comes later",
    steps: [
      ask(parse({ text: "boom" }), flush()),
      answer(error("42601", "syntax")),
      ask(parse({ name: "n", text: "next" })),
      ask(run("n"), query("also"), functionCall(9)),
      ask(sync(), query("then")),
      answer(ready(), complete("THEN"), ready()),
    ],
    events: [
      { text: "boom", outcome: "failed", sqlstate: "42601" },
      { text: "next", outcome: "skipped" },
      { text: "also", outcome: "skipped" },
      { text: "function 9", outcome: "skipped" },
      { text: "then", outcome: "completed" },
    ],
  },
  {
    promise: "a Bind or Describe that fails is told with the statement's text",
    steps: [
      ask(parse({ name: "s", text: "select $1", types: [23] }), sync(), run("s", "x"), sync()),
      answer(parsed(), ready(), error("22P02", "invalid"), ready()),
      ask(describe({ type: "S", name: "s" }), sync(), describe({ type: "S", name: "none" }), sync()),
      answer(error("25P02", "aborted"), ready(), error("26000", "none"), ready()),
    ],
    events: [
      { text: "select $1", outcome: "failed", sqlstate: "22P02", parameters: [{ type: 23, value: "x" }] },
      { text: "select $1", outcome: "failed", sqlstate: "25P02" },
      { type: "error", sqlstate: "26000" },
    ],
  },
  {
    promise: "an Execute that fails skips the others; pipelines behind the Sync go on",
    steps: [
      ask(parse({ name: "s", text: "work" }), run("s"), run("s"), run("s"), sync(), run("s"), sync()),
      answer(parsed(), bound(), row("1"), complete("SELECT 1"), bound(), row("1"), error("23505", "dup"), ready()),
      answer(bound(), complete("SELECT 0"), ready()),
    ],
    events: [
      { number: 1, outcome: "completed", rows: 1 },
      { number: 2, outcome: "failed", sqlstate: "23505", rows: 1 },
      { number: 3, outcome: "skipped", text: "work", prepared: "s" },
      { number: 4, outcome: "completed", rows: 0 },
    ],
  },
  {
    promise: "a portal with a row limit is suspended, and told again when it goes on",
    steps: [
      ask(parse({ text: "many" }), bind({ portal: "p", values: ["a"] }), describe({ type: "P", name: "p" })),
      ask(execute({ portal: "p", rows: 2 }), flush()),
      answer(parsed(), bound(), ID, row("1"), row("2"), server.suspended()),
      ask(execute({ portal: "p", rows: 2 }), close({ type: "P", name: "p" }), sync()),
      answer(row("3"), complete("SELECT 1"), server.closed(), ready()),
    ],
    events: [
      {
        number: 1,
        portal: "p",
        outcome: "suspended",
        rows: 2,
        text: "many",
        parameters: [{ type: 0, value: "a" }],
        columns: IDS,
      },
      {
        number: 2,
        portal: "p",
        outcome: "completed",
        rows: 1,
        text: "many",
        parameters: [{ type: 0, value: "a" }],
        columns: IDS,
      },
    ],
  },
  {
    promise: "a statement that fails in its Parse is told for all of its Executes",
    steps: [
      ask(parse({ name: "s", text: "boom" }), run("s"), run("s"), sync()),
      answer(error("42601", "syntax"), ready()),
    ],
    events: [
      { number: 1, text: "boom", outcome: "failed" },
      { number: 2, text: "boom", outcome: "skipped" },
    ],
  },
  {
    promise: "a portal ends with its transaction, named or not",
    steps: [
      ask(parse({ text: "a" }), bind({ portal: "p" }), bind({}), sync()),
      answer(parsed(), bound(), bound(), ready("I")),
      ask(execute({ portal: "p" }), sync(), execute({}), sync()),
      answer(error("34000", "no portal"), ready(), error("34000", "no portal"), ready()),
    ],
    events: [
      { text: "", outcome: "failed" },
      { text: "", outcome: "failed" },
    ],
  },
  {
    promise: "a portal outlives Sync within a transaction",
    steps: [
      ask(parse({ text: "a" }), bind({ portal: "p" }), sync()),
      answer(parsed(), bound(), ready("T")),
      ask(execute({ portal: "p" }), sync()),
      answer(complete("A"), ready("T")),
    ],
    events: [{ text: "a", portal: "p", outcome: "completed" }],
  },
  {
    promise: "the unnamed statement ends with a simple query, and with a Parse that fails",
    steps: [
      ask(parse({ text: "a" }), sync(), query("q"), run(""), sync()),
      answer(parsed(), ready(), complete("Q"), ready(), error("26000", "no statement"), ready()),
      ask(parse({ text: "b" }), sync(), parse({ text: "boom" }), sync(), run(""), sync()),
      answer(parsed(), ready(), error("42601", "syntax"), ready(), error("26000", "no statement"), ready()),
    ],
    events: [
      { text: "q" },
      { text: "", sqlstate: "26000" },
      { text: "boom", sqlstate: "42601" },
      { text: "", sqlstate: "26000" },
    ],
  },
  {
    promise: "an error that Sync itself meets, such as a deferred constraint, stands for itself",
    steps: [
      ask(parse({ text: "insert" }), run(""), sync()),
      answer(parsed(), bound(), complete("INSERT 0 1"), error("23503", "deferred"), ready()),
    ],
    events: [{ outcome: "completed" }, { type: "error", sqlstate: "23503" }],
  },
];

export const CONVERSATIONS: readonly Conversation[] = [...SIMPLE, ...extended, ...COPIES, ...OTHERS].map(
  (conversation) => ({
    ...conversation,
    steps: [answer(server.greeting()), ...conversation.steps],
  }),
);
