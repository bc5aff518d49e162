import type { CloudFormationCustomResourceEvent, CloudFormationCustomResourceResponse } from "aws-lambda";
import { SallyportError, asSallyportError } from "../../core/errors.ts";
import { type EnsureDeps, type Wanted, ensureSecret, wanted } from "./ensure.ts";

/** CloudFormation reads no longer reason. Characters. */
const MAX_REASON = 1000;

export interface RespondDeps extends EnsureDeps {
  /** PUT to the presigned address of S3 that CloudFormation waits at. */
  readonly answer: (url: string, body: string) => Promise<void>;
}

/**
 * One event of the custom resource (CloudFormation custom resource request objects): does it and answers, whatever happens; without
 * an answer a deployment waits for an hour. Nothing is deleted: a secret goes when the operator says so.
 */
export async function respond(deps: RespondDeps, event: CloudFormationCustomResourceEvent): Promise<void> {
  const about = {
    StackId: event.StackId,
    RequestId: event.RequestId,
    LogicalResourceId: event.LogicalResourceId,
  };
  const failure = await attempt(deps, event);
  const secret: unknown = event.ResourceProperties["secret"];
  const response: CloudFormationCustomResourceResponse =
    failure === undefined
      ? { ...about, Status: "SUCCESS", PhysicalResourceId: idOf(event, secret) }
      : {
          ...about,
          Status: "FAILED",
          PhysicalResourceId: idOf(event, secret),
          Reason: `${failure.message}. ${failure.hint ?? ""}`.slice(0, MAX_REASON),
        };
  await deps.answer(event.ResponseURL, JSON.stringify(response));
}

function idOf(event: CloudFormationCustomResourceEvent, secret: unknown): string {
  if (event.RequestType !== "Create") return event.PhysicalResourceId;
  return typeof secret === "string" ? secret : event.LogicalResourceId;
}

async function attempt(
  deps: EnsureDeps,
  event: CloudFormationCustomResourceEvent,
): Promise<SallyportError | undefined> {
  if (event.RequestType === "Delete") return undefined;
  try {
    const before = event.RequestType === "Update" ? wanted.safeParse(event.OldResourceProperties).data : undefined;
    await ensureSecret(deps, parsed(event.ResourceProperties), before, event.RequestId);
    return undefined;
  } catch (thrown) {
    return asSallyportError(thrown, "internal", "the secret could not be made");
  }
}

function parsed(properties: unknown): Wanted {
  const result = wanted.safeParse(properties);
  if (result.success) return result.data;
  throw new SallyportError("configuration-invalid", "the stack asks for a secret that nobody can make", {
    cause: result.error,
  });
}
