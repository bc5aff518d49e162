import { chmod } from "node:fs/promises";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { SallyportError } from "../core/errors.ts";
import type { ApprovalStore } from "../core/ports/approval-store.ts";
import type { AuditLog } from "../core/ports/audit-log.ts";
import type { AuditProgress } from "../core/ports/audit-progress.ts";
import type { CancelKeys } from "../core/ports/cancel-keys.ts";
import type { ChunkStore } from "../core/ports/chunk-store.ts";
import type { LeaseStore } from "../core/ports/lease-store.ts";
import type { PassStore } from "../core/ports/pass-store.ts";
import type { Mailer } from "../core/ports/mailer.ts";
import type { Outbox } from "../core/ports/outbox.ts";
import type { PeopleStore } from "../core/ports/people-store.ts";
import type { Secrets } from "../core/ports/secrets.ts";
import type { SessionId, SessionStore } from "../core/ports/session-store.ts";
import type { SignInStore } from "../core/ports/sign-in-store.ts";
import type { Signer } from "../core/ports/signer.ts";
import type { SshKeyStore } from "../core/ports/ssh-key-store.ts";
import { sqliteApprovalStore } from "./approval-store.ts";
import { fileAuditLog } from "./audit-log.ts";
import { sqliteAuditProgress } from "./audit-progress.ts";
import { sqliteCancelKeys } from "./cancel-keys.ts";
import { fileChunkStore, recordingRemover, RECORDINGS_FOLDER } from "./chunk-store.ts";
import { openDatabase } from "./database.ts";
import { makeFolder } from "./files.ts";
import { sqliteLeaseStore } from "./lease-store.ts";
import { sqliteOutbox } from "./outbox.ts";
import { sqlitePassStore } from "./pass-store.ts";
import { sqlitePeopleStore } from "./people-store.ts";
import { fileSecrets } from "./secrets.ts";
import { sqliteSessionStore } from "./session-store.ts";
import { sqliteSignInStore } from "./sign-in-store.ts";
import { fileSigner } from "./signer.ts";
import { sqliteSshKeyStore } from "./ssh-key-store.ts";

/** Every port on one machine. */
export interface LocalState {
  readonly passes: PassStore;
  readonly signIns: SignInStore;
  readonly sshKeys: SshKeyStore;
  readonly sessions: SessionStore;
  readonly approvalStore: ApprovalStore;
  readonly people: PeopleStore;
  /** Where mail is kept when there is no mail server. */
  readonly outbox: Mailer & Outbox;
  readonly chunks: ChunkStore;
  /** For retention. */
  readonly removeRecording: (session: SessionId) => Promise<void>;
  readonly auditLog: AuditLog;
  readonly auditProgress: AuditProgress;
  readonly cancelKeys: CancelKeys;
  readonly leases: LeaseStore;
  readonly signer: Signer;
  readonly secrets: Secrets;
  /** Folder of the spools. */
  readonly spool: string;
  close(): void;
}

/**
 * Opens the state folder of a single machine, for one process at a time: `conflict` when another has it. The lock is the
 * operating system's, so that it goes with the process however it dies; leases on spools therefore need no memory, and the
 * spool of a killed process is taken over at once.
 */
export async function openLocalState(directory: string): Promise<LocalState> {
  await makeFolder(directory, 0o700);
  await chmod(directory, 0o700); // whoever made it: recordings and the index in it are for nobody else
  const spool = path.join(directory, "spool");
  await makeFolder(spool, 0o700);
  const lock = lockFolder(directory);
  const recordings = path.join(directory, RECORDINGS_FOLDER);
  const database = openDatabase(path.join(directory, "sallyport.sqlite"));
  const memory = openDatabase(":memory:");
  return {
    passes: sqlitePassStore(database),
    signIns: sqliteSignInStore(database),
    sshKeys: sqliteSshKeyStore(database),
    sessions: sqliteSessionStore(database),
    auditProgress: sqliteAuditProgress(database),
    auditLog: fileAuditLog(directory),
    approvalStore: sqliteApprovalStore(database),
    people: sqlitePeopleStore(database),
    outbox: sqliteOutbox(database, Date.now),
    chunks: fileChunkStore(recordings),
    removeRecording: recordingRemover(recordings),
    cancelKeys: sqliteCancelKeys(memory),
    leases: sqliteLeaseStore(memory),
    signer: await fileSigner(path.join(directory, "signing-key.pem")),
    secrets: fileSecrets(path.join(directory, "secrets")),
    spool,
    close() {
      for (const opened of [database, memory, lock]) opened.close();
    },
  };
}

function lockFolder(directory: string): DatabaseSync {
  const lock = new DatabaseSync(path.join(directory, "lock.sqlite"));
  try {
    lock.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT;");
    return lock;
  } catch (cause) {
    lock.close();
    throw new SallyportError("conflict", `another sallyport is running on ${directory}`, {
      cause,
      hint: "Stop it first, or give another folder with --state.",
    });
  }
}
