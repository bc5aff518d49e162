import { configurationPublished } from "../../core/audit/account-events.ts";
import { type Audit, grantWritten } from "../../core/audit/audit.ts";
import { checkBundle } from "../../core/config/bundle.ts";
import { type BundleFiles, versionOf } from "../../core/config/bundle-files.ts";
import { asSallyportError } from "../../core/errors.ts";
import type { Principal } from "../../core/identity/principal.ts";
import type { Clock } from "../../core/ports/clock.ts";
import type { ConfigurationStore, PublishedVersion } from "../../core/ports/configuration-store.ts";

export interface PublishDeps {
  readonly configurations: Pick<ConfigurationStore, "publish">;
  readonly audit: Audit;
  readonly clock: Clock;
}

/**
 * Puts a configuration in force, which is written to the audit log before it is (ADR 0022). What is not valid is written as refused:
 * who tried to change the rules matters as much. Throws `configuration-invalid`, `conflict`, `store-unavailable`.
 */
export async function publishWritten(
  { configurations, audit, clock }: PublishDeps,
  asked: { readonly by: Principal; readonly from: string },
  files: BundleFiles,
  expected?: PublishedVersion["version"],
): Promise<PublishedVersion> {
  const version = versionOf(files);
  const record = (failed?: { code: string; message: string }) =>
    configurationPublished(asked, version, clock(), failed);
  try {
    checkBundle(files);
  } catch (thrown) {
    const { code, message } = asSallyportError(thrown, "internal", "it could not be checked");
    await audit(record({ code, message }));
    throw thrown;
  }
  return grantWritten(audit, record, () => configurations.publish(files, asked.by.id, expected));
}
