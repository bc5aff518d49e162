import { unmarshall } from "@aws-sdk/util-dynamodb";
import type { Approval } from "../../core/ports/approval-store.ts";
import { APPROVAL_SORT_KEY, toApproval } from "./approval-item.ts";

/** What is looked at of a record of the stream of the table `approvals` (StreamViewType NEW_IMAGE). */
export interface ApprovalRecord {
  readonly eventName?: string | undefined;
  readonly dynamodb?: { readonly NewImage?: unknown } | undefined;
}

/** The approval that a record tells is new; undefined for changes to one, and for the entries of the views that list it. */
export function newApprovalIn({ eventName, dynamodb }: ApprovalRecord): Approval | undefined {
  const image = dynamodb?.NewImage;
  if (eventName !== "INSERT" || image === undefined) return undefined;
  const item = unmarshall(image as Parameters<typeof unmarshall>[0]);
  return item["sk"] === APPROVAL_SORT_KEY ? toApproval(item) : undefined;
}
