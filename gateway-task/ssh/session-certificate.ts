import { createPrivateKey, type KeyObject, randomBytes } from "node:crypto";
import ssh2 from "ssh2";
import type { Instant } from "../../core/brand.ts";
import { SallyportError } from "../../core/errors.ts";
import { issueUserCertificate } from "../../core/identity/ssh-certificate-issue.ts";
import { visible } from "../../core/recording/visible.ts";
import { newHostKey } from "./host-key.ts";

/** A target looks at it once, when the session logs in. */
const LIFETIME_MS = 5 * 60_000;
/** Clocks differ. */
const BACKDATED_MS = 60_000;
/** What is allowed of it is for policies of ours to say. `permit-user-rc` runs `~/.ssh/rc`, as with any other log-in. */
const EXTENSIONS = [
  "permit-X11-forwarding",
  "permit-agent-forwarding",
  "permit-port-forwarding",
  "permit-pty",
  "permit-user-rc",
];
/** It stands in each line of the target's log. */
const MAX_KEY_ID = 255;

/** What one session logs in to its target by. */
export interface SessionCertificate {
  /** A key that was made for it alone, in OpenSSH's format. */
  readonly privateKey: string;
  readonly keyType: string;
  readonly certificate: Buffer;
}

/**
 * A new key, certified for some minutes.
 * @param authority a private key in OpenSSH's or PEM format, without a passphrase
 * @param of        the user at the target, and what its log will call the session
 * Throws `configuration-invalid` for what is no such key.
 */
export function sessionCertificate(
  authority: string,
  of: { readonly user: string; readonly called: string },
  now: Instant,
): SessionCertificate {
  const key = privateKeyOf(authority);
  const { privateKey, publicKey } = newHostKey();
  const [keyType = "", base64 = ""] = publicKey.split(" ");
  const content = {
    publicKey: Buffer.from(base64, "base64"),
    keyId: visible(of.called).slice(0, MAX_KEY_ID),
    principals: [of.user],
    validFrom: now - BACKDATED_MS,
    validTo: now + LIFETIME_MS,
    extensions: EXTENSIONS,
  };
  return { privateKey, keyType, certificate: issueUserCertificate(key, content, randomBytes) };
}

function privateKeyOf(text: string): KeyObject {
  try {
    const parsed = ssh2.utils.parseKey(text);
    return createPrivateKey(parsed instanceof Error ? text : parsed.getPrivatePEM());
  } catch (cause) {
    throw new SallyportError("configuration-invalid", "the connection's certificate authority is no private key", {
      hint: "Its secret must hold what `ssh-keygen -t ed25519 -N '' -f authority` wrote.",
      cause,
    });
  }
}
