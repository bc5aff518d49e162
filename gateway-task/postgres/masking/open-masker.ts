import type { PostgresConnection } from "../../../core/config/connections.ts";
import type { SessionMasking } from "../../session.ts";
import { type SecretSource, withSecret } from "../../target-secret.ts";
import { openTarget } from "../target.ts";
import { logInToTarget, type TargetCredentials } from "../target-login.ts";
import { newCatalogs } from "./catalog.ts";
import { readCatalog, type CatalogRows } from "./catalog-rows.ts";
import { StreamMasker } from "./stream-masker.ts";

/** For a target to tell its catalog. */
const READ_TIMEOUT_MS = 15_000;

/** Whose results are to be masked. */
interface MaskedSession {
  readonly connection: PostgresConnection;
  readonly database: string;
  /** What the session's own log-in was made with: by then it may have expired, or have been rotated. */
  readonly source: SecretSource;
  readonly masking: SessionMasking | undefined;
}

export type OpenMasker = (session: MaskedSession) => Promise<StreamMasker | undefined>;

/** Maskers that share what they learn of their targets' catalogs. */
export function newMaskers(): OpenMasker {
  const catalogs = newCatalogs(() => performance.now());
  return async ({ connection, database, source, masking }) => {
    if (masking === undefined) return undefined;
    const { rules, unmaskedBy } = masking;
    const catalog = rules.hasColumnRules ? catalogs(rules, connection.name, database) : undefined;
    const { user } = connection.credentials;
    const ask = (): Promise<CatalogRows> =>
      withSecret(source, (password) => askCatalog(connection, database, { user, password }));
    const masker = new StreamMasker({ masking: rules, unmasked: unmaskedBy !== undefined, catalog, ask });
    await masker.open();
    return masker;
  };
}

/** Over a connection of our own, so that the session's is never in a state that its client did not put it in. */
async function askCatalog(
  connection: PostgresConnection,
  database: string,
  credentials: TargetCredentials,
): Promise<CatalogRows> {
  const signal = AbortSignal.timeout(READ_TIMEOUT_MS);
  const target = await openTarget(connection.target, signal);
  try {
    await logInToTarget(target, credentials, database, new Map([["application_name", "sallyport masking"]]), signal);
    return await readCatalog(target, signal);
  } finally {
    target.socket.destroy();
  }
}
