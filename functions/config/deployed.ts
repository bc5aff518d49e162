import type { CloudFormationCustomResourceEvent } from "aws-lambda";
import type { Logger } from "pino";
import { z } from "zod";
import { bundleOf, isVersion } from "../../core/config/bundle-json.ts";
import { asSallyportError, SallyportError } from "../../core/errors.ts";
import type { PrincipalId } from "../../core/identity/principal.ts";
import type { PublishedVersion } from "../../core/ports/configuration-store.ts";
import { causesOf } from "../shared/problem.ts";
import { type PublishDeps, publishWritten } from "./publish.ts";

/** There is one configuration in an installation: CloudFormation never replaces, and so never deletes, one by another. */
const PHYSICAL_ID = "sallyport-configuration";
/** CloudFormation takes an answer of 4 KB; what else stands in it has some hundred bytes. */
const MAX_REASON = 2_000;

/** What `infra/` tells: where the deployment's `bundleJson` lies, and which version it is. */
const properties = z.object({
  bucket: z.string().min(3),
  key: z.string().min(1),
  version: z.string().refine(isVersion, "is no version"),
});

export interface DeployedDeps extends PublishDeps {
  /** The text of an object that was deployed. */
  readonly read: (place: { readonly bucket: string; readonly key: string }) => Promise<string>;
  /** Answers CloudFormation at its address. */
  readonly answer: (url: string, body: string) => Promise<void>;
  readonly logger: Logger;
}

const DEPLOYMENT = {
  by: { kind: "service", id: "aws|cloudformation" as PrincipalId, name: "cdk deploy", groups: [] },
  from: "cloudformation",
} as const;

/**
 * The custom resource by which `cdk deploy` publishes the folder that was deployed with it. A configuration that is not valid
 * fails the deployment with the validator's words. Deleting the stack takes nothing out of force.
 */
export async function publishDeployed(deps: DeployedDeps, event: CloudFormationCustomResourceEvent): Promise<void> {
  const { StackId, RequestId, LogicalResourceId, ResponseURL } = event;
  const common = { StackId, RequestId, LogicalResourceId, PhysicalResourceId: PHYSICAL_ID };
  const tell = (of: object): Promise<void> => deps.answer(ResponseURL, JSON.stringify({ ...common, ...of }));
  let published: PublishedVersion | undefined;
  try {
    if (event.RequestType !== "Delete") published = await publish(deps, event.ResourceProperties);
  } catch (thrown) {
    deps.logger.error({ causes: causesOf(thrown) }, "the deployed configuration was not published");
    const { message } = asSallyportError(thrown, "internal", "the configuration could not be published");
    return tell({ Status: "FAILED", Reason: message.slice(0, MAX_REASON) });
  }
  await tell({ Status: "SUCCESS", ...(published && { Data: { version: published.version } }) });
}

async function publish(deps: DeployedDeps, given: unknown): Promise<PublishedVersion> {
  const parsed = properties.safeParse(given);
  if (!parsed.success)
    throw new SallyportError("configuration-invalid", `the resource is not as it should be: ${z.prettifyError(parsed.error)}`); // prettier-ignore
  const { bucket, key, version } = parsed.data;
  const files = bundleOf(await deps.read({ bucket, key }), version);
  const published = await publishWritten(deps, DEPLOYMENT, files);
  deps.logger.info({ version }, "the deployed configuration was published");
  return published;
}
