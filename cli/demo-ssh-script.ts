import type { CommandEndedEvent } from "../core/recording/ssh-events.ts";

/** What lies in the home of the machine that is reached by SSH: a web server's, with somebody's sessions in it. */
export const WEB_FILES = {
  "access.log": `GET /products/17 200\nPOST /cart 500\nGET /products/4 200\nPOST /cart 500\n`,
  "sessions/8f3a": "customer 17\nActive\n",
  "sessions/c21d": "customer 4\nExpired\n",
  "sessions/e77b": "customer 31\nExpired\n",
} as const satisfies Record<string, string>;

/** The sessions that are left when the expired ones are removed. */
export const KEPT_SESSIONS: readonly string[] = ["8f3a"];

/** A command of the demo, and what must become of it. */
export interface ScriptedCommand {
  readonly what: string;
  readonly text: string;
  readonly status: number;
  /** All that it says, its errors and what the gateway says among it. */
  readonly says: RegExp;
  /** Policy withheld it from the machine. */
  readonly refused?: boolean;
}

export const COMMAND = {
  what: "a command",
  text: "grep -c ' 500$' access.log",
  status: 0,
  says: /^2\n$/,
} as const satisfies ScriptedCommand;

/** If it were not blocked, it would remove the demo's own folder. */
export const BLOCKED_COMMAND = {
  what: "rm -rf ~, which is blocked",
  text: "rm -rf ~",
  status: 126,
  says: /^sallyport: this changes or removes a whole system or home folder\. Policy: ssh-whole-system\.\n$/,
  refused: true,
} as const satisfies ScriptedCommand;

/** It does not tell which files it removes. Somebody else has to consent. */
export const HELD_COMMAND = {
  what: "a command that waits for consent",
  text: "grep -l Expired sessions/* | xargs rm",
  status: 0,
  says: /^sallyport: held for consent: the command does not tell which files it removes or changes\. Asked of 1 of approvers/,
} as const satisfies ScriptedCommand;

/** What is typed at a terminal. */
export const TYPED = ["ls sessions", "tail -2 access.log", "exit"] as const;
export const TERMINAL = { term: "xterm-256color", cols: 80, rows: 24 };

/** Is this the record of that command? Answers what is wrong with it. */
export function differsFrom(expected: ScriptedCommand, recorded: CommandEndedEvent | undefined): string | undefined {
  if (recorded === undefined) return "it is not in the recording";
  if (recorded.text !== expected.text) return `the recording has "${recorded.text}"`;
  if (recorded.outcome !== (expected.refused ? "refused" : "exited")) return `it is recorded as ${recorded.outcome}`;
  return recorded.status === expected.status ? undefined : `it is recorded with status ${recorded.status ?? "unknown"}`;
}
