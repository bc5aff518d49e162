import { serialize } from "pg-protocol/dist/serializer.js";
import { FLAG_REDACTED } from "../../../core/recording/frame.ts";
import { answer, ask, message, server, type Conversation } from "./interpreter-kit.ts";

const { query } = serialize;
const { ready, columns, row, complete, error } = server;
const ID = columns(["id", 23]);
const IDS = [{ name: "id", type: 23, format: 0 }];

export const SIMPLE: readonly Conversation[] = [
  {
    promise: "a simple query is told with its text, columns, rows and tag",
    steps: [ask(query("select id from t")), answer(ID, row("1"), row("2"), complete("SELECT 2"), ready())],
    events: [
      {
        number: 1,
        via: "simple",
        text: "select id from t",
        outcome: "completed",
        rows: 2,
        tag: "SELECT 2",
        columns: IDS,
        output: [42, 108],
      },
    ],
  },
  {
    promise: "a query of several statements yields an event a result, with its own number and output",
    steps: [
      ask(query("select 1; insert; boom; select 2")),
      answer(ID, row("1"), complete("SELECT 1"), complete("INSERT 0 1"), error("22012", "division by zero"), ready()),
      ask(query("select 3")),
      answer(ID, row("1"), complete("SELECT 1"), ready()),
    ],
    events: [
      { number: 1, outcome: "completed", rows: 1, columns: IDS },
      {
        number: 2,
        text: "select 1; insert; boom; select 2",
        outcome: "completed",
        rows: 0,
        tag: "INSERT 0 1",
        columns: undefined,
      },
      {
        number: 3,
        text: "select 1; insert; boom; select 2",
        outcome: "failed",
        sqlstate: "22012",
        message: "division by zero",
      },
      { number: 4, text: "select 3", outcome: "completed" },
    ],
  },
  {
    promise: "queries sent ahead of their answers are matched in order",
    steps: [
      ask(query("a"), query("b")),
      answer(complete("A"), ready()),
      ask(query("c")),
      answer(server.empty(), ready(), error("42601", "no"), ready()),
    ],
    events: [
      { number: 1, text: "a", tag: "A" },
      { number: 2, text: "b", outcome: "completed", tag: undefined },
      { number: 3, text: "c", outcome: "failed", sqlstate: "42601" },
    ],
  },
  {
    promise: "columns are those of the statement at hand, however alike the one before it was",
    steps: [
      ask(query("select a")),
      answer(columns(["a", 23]), complete("SELECT 0"), ready()),
      ask(query("select b")),
      answer(columns(["b", 25]), complete("SELECT 0"), ready()),
    ],
    events: [{ columns: [{ name: "a", type: 23, format: 0 }] }, { columns: [{ name: "b", type: 25, format: 0 }] }],
  },
  {
    promise: "a statement that was redacted says so, its neighbour in the same piece does not",
    steps: [
      { ...ask(query("alter role a password '[redacted]'"), query("select 1")), flags: FLAG_REDACTED },
      answer(complete("ALTER ROLE"), ready(), complete("SELECT 1"), ready()),
    ],
    events: [
      { number: 1, redacted: true },
      { number: 2, redacted: undefined },
    ],
  },
  {
    promise: "a long statement is cut at 64 KiB, between two characters, and its length told",
    steps: [ask(query(`${"x".repeat(65_535)}é`)), answer(complete("A"), ready())],
    events: [{ text: "x".repeat(65_535), bytes: 65_537 }],
  },
  {
    promise: "text that is not UTF-8 is kept a character a byte",
    steps: [ask(message("Q", Buffer.from("select 'é'\0", "latin1"))), answer(complete("SELECT 1"), ready())],
    events: [{ text: "select 'é'" }],
  },
];
