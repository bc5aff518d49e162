import { sshTypeOf } from "../../core/identity/ssh-wire.ts";
import { type ExchangingProtocol, sendMessage } from "./key-exchange.ts";
import { message } from "./messages.ts";

/** What of ssh2's that it does not document logs in by a key. */
export interface AuthenticatingProtocol extends ExchangingProtocol {
  /** What has been asked of the server and not been answered. */
  readonly _authsQueue: string[];
  /** Asks whether this key would do; or, where it can sign, logs in by it. */
  authPK(user: string, key: unknown, algorithm: string | undefined, sign?: Sign): void;
}

type Sign = (data: Buffer, done: (signature: Buffer) => void) => void;

const USERAUTH_REQUEST = 50;

/** Shows this certificate, which the library does not know, in the place of the key that it is given, which signs (RFC 4252 §7). */
export function logInByCertificate(protocol: AuthenticatingProtocol, certificate: Buffer, keyType: string): void {
  const about = (user: string, signs: boolean): Buffer =>
    message(USERAUTH_REQUEST, user, "ssh-connection", "publickey", signs, sshTypeOf(certificate), certificate);
  protocol.authPK = (user, _key, _algorithm, sign) => {
    const ask = (request: Buffer): void => {
      protocol._authsQueue.push("publickey");
      sendMessage(protocol, request);
    };
    if (sign === undefined) return ask(about(user, false));
    const request = about(user, true);
    const session = message(0, protocol._kex?.sessionID ?? Buffer.alloc(0)).subarray(1);
    sign(Buffer.concat([session, request]), (signature) => {
      const signed = message(0, keyType, signature).subarray(1);
      ask(Buffer.concat([request, message(0, signed).subarray(1)]));
    });
  };
}
