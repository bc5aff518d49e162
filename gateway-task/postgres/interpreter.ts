import type { NewInterpreter } from "../../core/recording/interpreter.ts";
import { ClientMessages, CLIENT_PLAN } from "./client-messages.ts";
import { Conversation } from "./conversation.ts";
import { MessageReader } from "./message-reader.ts";
import { SERVER_PLAN, ServerMessages } from "./server-messages.ts";

/**
 * Derives events from a PostgreSQL session as it was recorded: the client's bytes from the first message after its log-in,
 * the bytes to it from what follows AuthenticationOk. What `Conversation` says of statements holds. Notices, notifications
 * and errors that answer no statement are events of their own.
 *
 * Texts are kept up to 64 KiB; one over 4 KiB of JSON is whole in the first event that tells it, and its beginning in the
 * others; so are columns of wide results without rows. Parameters are kept as `boundValues` says; of a result nothing is
 * kept but its number of rows, its columns and its place in the output. A statement whose Parse lies too far back, or that SQL prepared, has an empty text.
 * A direction whose bytes are no messages is not followed any further: one `error` event says from where.
 */
export const postgresInterpreter: NewInterpreter = (emit) => {
  const conversation = new Conversation(emit);
  const fromClient = new MessageReader(CLIENT_PLAN, new ClientMessages(conversation));
  const toClient = new MessageReader(SERVER_PLAN, new ServerMessages(conversation, emit));
  return {
    input: (bytes, micros, flags, start, end) => fromClient.push(bytes, micros, flags, start, end),
    output: (bytes, micros, flags, start, end) => toClient.push(bytes, micros, flags, start, end),
    finish: (micros) => conversation.finish(micros, toClient.total),
    get held() {
      return conversation.held;
    },
    forget: (micros) => conversation.forget(micros, toClient.total),
    get statements() {
      return conversation.statements;
    },
  };
};
