import type { NewInterpreter } from "../core/recording/interpreter.ts";
import type { Protocol } from "../core/ports/session-store.ts";
import { postgresInterpreter } from "./postgres/interpreter.ts";
import { sshInterpreter } from "./ssh/interpreter.ts";

/** The table of protocols: what each one's recorded bytes mean. */
export const INTERPRETERS: Record<Protocol, NewInterpreter> = { postgres: postgresInterpreter, ssh: sshInterpreter };
