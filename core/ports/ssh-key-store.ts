import type { Branded, Instant } from "../brand.ts";
import type { PrincipalId } from "../identity/principal.ts";

/** SHA-256 of a key's blob (RFC 4253 §6.6), as `ssh-keygen -l` writes it: `SHA256:` and base64 without padding. */
export type SshFingerprint = Branded<string, "SshFingerprint">;

/** A public key by which a person signs in. */
export interface SshKey {
  readonly fingerprint: SshFingerprint;
  /** Such as `ssh-ed25519`. */
  readonly type: string;
  readonly owner: PrincipalId;
  readonly label: string;
  readonly registeredAt: Instant;
}

/** Whose public keys those are. Every method throws SallyportError `store-unavailable` when the store cannot answer. */
export interface SshKeyStore {
  /**
   * A key belongs to one person. Throws `conflict` for another's, also for one that they removed within SSH_KEY_RESERVED_MS;
   * `limit-exceeded` where this person has MAX_SSH_KEYS, or MAX_REMEMBERED_SSH_KEYS with those that were removed in that time.
   * One's own is given the new label, and nothing else of it changes.
   */
  register(key: SshKey): Promise<void>;
  /** Newest first. */
  listFor(owner: PrincipalId): Promise<SshKey[]>;
  /** Undefined also for one that was removed. */
  find(fingerprint: SshFingerprint): Promise<SshKey | undefined>;
  /** False: this person has no such key. */
  remove(owner: PrincipalId, fingerprint: SshFingerprint, at: Instant): Promise<boolean>;
}
