import { serialize } from "pg-protocol/dist/serializer.js";
import { answer, ask, functionCall, server, type Conversation } from "./interpreter-kit.ts";

const { query, parse, bind, execute, sync, flush, copyData, copyDone, copyFail, end } = serialize;
const { ready, columns, row, complete, parsed, bound, error } = server;
const ID = columns(["id", 23]);
const IDS = [{ name: "id", type: 23, format: 0 }];
const run = (name: string, ...values: string[]): Buffer =>
  Buffer.concat([bind({ statement: name, values }), execute({})]);

export const COPIES: readonly Conversation[] = [
  {
    promise: "COPY in is told with the rows of its tag and the bytes of the client",
    steps: [
      ask(query("copy t from stdin")),
      answer(server.copyIn()),
      ask(copyData(Buffer.from("1\n2\n3")), copyData(Buffer.from("\n")), copyDone()),
      answer(complete("COPY 3"), ready()),
    ],
    events: [{ outcome: "completed", rows: 3, copied: { direction: "in", bytes: 6 }, tag: "COPY 3" }],
  },
  {
    promise: "COPY in whose data is sent ahead of the server's consent is counted, too",
    steps: [
      ask(parse({ text: "copy" }), run(""), sync(), copyData(Buffer.from("12345")), copyDone(), sync(), query("next")),
      answer(parsed(), bound(), server.copyIn(), complete("COPY 1"), ready(), complete("NEXT"), ready()),
    ],
    events: [
      { text: "copy", rows: 1, copied: { direction: "in", bytes: 5 } },
      { text: "next", outcome: "completed" },
    ],
  },
  {
    promise: "the server ignores Sync while it copies in, in the extended protocol",
    steps: [
      ask(parse({ text: "copy" }), run(""), sync()),
      answer(parsed(), bound(), server.copyIn()),
      ask(copyData(Buffer.from("1\n")), sync(), flush(), copyDone(), sync()),
      answer(complete("COPY 1"), ready()),
      ask(query("next")),
      answer(complete("NEXT"), ready()),
    ],
    events: [{ text: "copy", rows: 1, copied: { direction: "in", bytes: 2 } }, { text: "next" }],
  },
  {
    promise: "COPY in that the client gives up fails without rows",
    steps: [
      ask(query("copy t from stdin")),
      answer(server.copyIn()),
      ask(copyData(Buffer.from("1\n")), copyFail("enough")),
      answer(error("57014", "COPY from stdin failed: enough"), ready()),
      ask(query("next")),
      answer(complete("NEXT"), ready()),
    ],
    events: [
      { outcome: "failed", rows: 0, copied: { direction: "in", bytes: 2 }, sqlstate: "57014" },
      { text: "next" },
    ],
  },
  {
    promise: "COPY in that the server refuses midway is followed to what the client asks next",
    steps: [
      ask(parse({ text: "copy" }), run(""), sync()),
      answer(parsed(), bound(), server.copyIn()),
      ask(copyData(Buffer.from("x\n"))),
      answer(error("22P02", "bad")),
      ask(copyData(Buffer.from("2\n")), copyDone(), sync(), query("next")),
      answer(ready(), complete("NEXT"), ready()),
    ],
    events: [
      { outcome: "failed", sqlstate: "22P02", copied: { direction: "in", bytes: 2 } },
      { text: "next", outcome: "completed" },
    ],
  },
  {
    promise: "after COPY in that the server refuses, the next Sync ends the skipping",
    steps: [
      ask(parse({ text: "copy" }), run(""), sync()),
      answer(parsed(), bound(), server.copyIn(), error("57014", "cancelled")),
      ask(sync(), query("next")),
      answer(ready(), complete("NEXT"), ready()),
    ],
    events: [{ outcome: "failed" }, { text: "next", outcome: "completed" }],
  },
  {
    promise: "a query sent in the midst of COPY in ends it, and is skipped itself",
    steps: [
      ask(parse({ text: "copy" }), run(""), sync(), query("rude"), sync()),
      answer(parsed(), bound(), server.copyIn(), error("08P01", "unexpected message"), ready()),
    ],
    events: [
      { text: "copy", outcome: "failed" },
      { text: "rude", outcome: "skipped" },
    ],
  },
  {
    promise: "COPY out is told with rows and bytes",
    steps: [
      ask(query("copy t to stdout; select 1")),
      answer(server.copyOut(), server.copyData("1\n"), server.copyData("22\n"), server.copyDone(), complete("COPY 2")),
      answer(ID, row("1"), complete("SELECT 1"), ready()),
    ],
    events: [
      { number: 1, rows: 2, copied: { direction: "out", bytes: 5 } },
      { number: 2, rows: 1, copied: undefined, columns: IDS },
    ],
  },
  {
    promise: "COPY both ways counts what the server sends",
    steps: [
      ask(query("START_REPLICATION")),
      answer(server.copyBoth(), server.copyData("abc")),
      ask(copyData(Buffer.from("status")), copyDone()),
      answer(server.copyDone(), complete("COPY 0"), ready()),
    ],
    events: [{ rows: 0, copied: { direction: "out", bytes: 3 }, tag: "COPY 0" }],
  },
];

export const OTHERS: readonly Conversation[] = [
  {
    promise: "a function call by OID is told",
    steps: [
      ask(functionCall(1598)),
      answer(server.called(), ready()),
      ask(functionCall(1)),
      answer(error("42883", "no function"), ready()),
    ],
    events: [
      { via: "function-call", text: "function 1598", outcome: "completed", rows: 0 },
      { via: "function-call", outcome: "failed", sqlstate: "42883" },
    ],
  },
  {
    promise: "notices and notifications are told, and belong to no statement's outcome",
    steps: [
      ask(query("do")),
      answer(server.notice("00000", "hello"), server.notification("ch", "payload"), complete("DO"), ready()),
      answer(server.notification("ch", "")),
    ],
    events: [
      { type: "notice", severity: "NOTICE", sqlstate: "00000", message: "hello" },
      { type: "notification", processId: 42, channel: "ch", payload: "payload" },
      { type: "statement", outcome: "completed" },
      { type: "notification", payload: "" },
    ],
  },
  {
    promise: "the end of the connection by an administrator is an error of its own",
    steps: [answer(error("57P01", "terminating connection", "FATAL"))],
    events: [{ type: "error", severity: "FATAL", sqlstate: "57P01", message: "terminating connection" }],
  },
  {
    promise: "the end of the connection during a statement fails it; what was asked behind it stays unknown",
    steps: [
      ask(parse({ name: "s", text: "work" }), run("s"), run("s", "2"), sync(), query("last"), end()),
      answer(parsed(), bound(), row("1"), error("57P01", "terminating connection", "FATAL")),
    ],
    events: [
      { number: 1, outcome: "failed", sqlstate: "57P01", rows: 1 },
      { number: 2, outcome: "unknown", text: "work", parameters: [{ type: 0, value: "2" }], duration: undefined },
      { number: 3, outcome: "unknown", text: "last" },
    ],
  },
  {
    promise: "a statement cut off in its rows is unknown, with the rows that came",
    steps: [ask(query("select")), answer(ID, row("1"), row("2").subarray(0, 9)), ask(end())],
    events: [{ outcome: "unknown", rows: 2, output: [42, 91] }],
  },
];
