import type { CloudFormationCustomResourceEvent, CloudFormationCustomResourceResponse } from "aws-lambda";
import { SallyportError, asSallyportError } from "../../core/errors.ts";
import { type EnsureDeps, type PublicHalf, type Wanted, ensureSecret, wanted } from "./ensure.ts";

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
  const done = await attempt(deps, event);
  const secret: unknown = event.ResourceProperties["secret"];
  const response: CloudFormationCustomResourceResponse =
    done instanceof SallyportError
      ? {
          ...about,
          Status: "FAILED",
          PhysicalResourceId: idOf(event, secret),
          Reason: `${done.message}. ${done.hint ?? ""}`.slice(0, MAX_REASON),
        }
      : { ...about, Status: "SUCCESS", PhysicalResourceId: idOf(event, secret), Data: done };
  await deps.answer(event.ResponseURL, JSON.stringify(response));
}

function idOf(event: CloudFormationCustomResourceEvent, secret: unknown): string {
  if (event.RequestType !== "Create") return event.PhysicalResourceId;
  return typeof secret === "string" ? secret : event.LogicalResourceId;
}

async function attempt(
  deps: EnsureDeps,
  event: CloudFormationCustomResourceEvent,
): Promise<PublicHalf | SallyportError> {
  if (event.RequestType === "Delete") return {};
  try {
    const before = event.RequestType === "Update" ? wanted.safeParse(event.OldResourceProperties).data : undefined;
    return await ensureSecret(deps, parsed(event.ResourceProperties), before, event.RequestId);
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
