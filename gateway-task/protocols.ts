import type { NewInterpreter } from "../core/recording/interpreter.ts";
import type { Protocol } from "../core/ports/session-store.ts";
import { postgresInterpreter } from "./postgres/interpreter.ts";

/** The table of protocols: what each one's recorded bytes mean. */
export const INTERPRETERS: Record<Protocol, NewInterpreter> = {
  postgres: postgresInterpreter,
  ssh: () => ({ input() {}, output() {}, finish() {}, held: 0, forget() {}, statements: 0 }),
};
