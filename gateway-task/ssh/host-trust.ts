import type { Instant } from "../../core/brand.ts";
import type { SshConnection } from "../../core/config/connections.ts";
import { matchesPattern } from "../../core/identity/claim-pattern.ts";
import { certificateFault, isSshCertificate, readSshCertificate } from "../../core/identity/ssh-certificate.ts";
import { sshFingerprint } from "../../core/identity/ssh-key.ts";
import { sshTypeOf } from "../../core/identity/ssh-wire.ts";
import type { Clock } from "../../core/ports/clock.ts";
import { visible } from "../../core/recording/visible.ts";
import { HOST_CERTIFICATE_ALGORITHMS } from "./host-certificate.ts";

/** Whether a target is the one that a connection means: by a key that is pinned, or by one that an authority has certified. */
export class HostTrust {
  /** What the target is asked to show, the best first. */
  readonly algorithms: readonly string[];
  readonly #target: SshConnection["target"];
  readonly #pinned: readonly Buffer[];
  readonly #authorities: readonly Buffer[];
  readonly #clock: Clock;
  #taken: Buffer | undefined;
  #shown: string | undefined;

  constructor(target: SshConnection["target"], clock: Clock) {
    this.#target = target;
    this.#clock = clock;
    this.#pinned = target.hostKeys.map(blobOf);
    this.#authorities = target.hostCertificateAuthorities.map(blobOf);
    const plain = new Set(this.#pinned.flatMap((blob) => signaturesOf(sshTypeOf(blob))));
    this.algorithms = [...(this.#authorities.length > 0 ? HOST_CERTIFICATE_ALGORITHMS : []), ...plain];
  }

  /** What it has shown last, for people; undefined: nothing that was asked for. */
  get shown(): string | undefined {
    return this.#shown;
  }

  /** Takes what the target shows at an exchange of keys. A certificate may expire while a session lives that began by it. */
  accepts(blob: Buffer): boolean {
    if (this.#taken?.equals(blob)) return true;
    if (!this.#isTrusted(blob)) return false;
    this.#taken = Buffer.from(blob);
    return true;
  }

  #isTrusted(blob: Buffer): boolean {
    this.#shown = `the key ${sshFingerprint(blob)}`;
    if (!isSshCertificate(blob)) return this.#isPinned(blob);
    try {
      return this.#isCertified(blob, this.#clock());
    } catch {
      this.#shown = "a certificate that cannot be read";
      return false;
    }
  }

  #isCertified(blob: Buffer, now: Instant): boolean {
    const certificate = readSshCertificate(blob);
    const { host, hostPrincipal = host } = this.#target;
    const name = hostPrincipal.toLowerCase();
    const isFor = (principal: string): boolean => matchesPattern(principal.toLowerCase(), name); // `*.shop.example`
    const fault = certificateFault(certificate, { kind: "host", authorities: this.#authorities, isFor, now });
    const key = sshFingerprint(certificate.publicKey);
    this.#shown = `a certificate for the key ${key}${fault === undefined ? "" : `: ${visible(fault)}`}`;
    return fault === undefined || this.#isPinned(certificate.publicKey);
  }

  #isPinned(blob: Buffer): boolean {
    return this.#pinned.some((key) => key.equals(blob));
  }
}

function blobOf(line: string): Buffer {
  return Buffer.from(line.split(" ")[1] ?? "", "base64");
}

/** An RSA key signs by SHA-2 (RFC 8332). */
function signaturesOf(type: string): string[] {
  return type === "ssh-rsa" ? ["rsa-sha2-512", "rsa-sha2-256"] : [type];
}
