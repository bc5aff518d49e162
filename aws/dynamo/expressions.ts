import type { TransactWriteItem, WriteRequest } from "@aws-sdk/client-dynamodb";
import { marshall, type NativeAttributeValue } from "@aws-sdk/util-dynamodb";

export type Item = Record<string, NativeAttributeValue>;

export interface Key {
  readonly pk: string;
  readonly sk: string;
}

/**
 * A write, with an expression of DynamoDB's as its condition. Expressions call attributes by `#name` and values by `:name`; what the
 * names stand for follows from the text and from `values`.
 */
export type Write = { readonly when?: string; readonly values?: Item } & (
  | { readonly put: Item & Key }
  /** An update expression. */
  | { readonly update: Key; readonly as: string }
  | { readonly delete: Key }
);

/** There is no item of this key yet. */
export const ABSENT = "attribute_not_exists(#pk)";

type Marshalled = NonNullable<WriteRequest["PutRequest"]>["Item"] & {};

interface Bound {
  readonly ExpressionAttributeNames?: Record<string, string>;
  readonly ExpressionAttributeValues?: Marshalled;
}

/** The names and values that these texts call by name. */
export function bound(texts: readonly (string | undefined)[], values: Item): Bound {
  const text = texts.join(" ");
  const names = called(text, /#(\w+)/g).map((name) => [`#${name}`, name] as const);
  const used = called(text, /:(\w+)/g).map((name) => [`:${name}`, values[name]] as const);
  return {
    ...(names.length > 0 && { ExpressionAttributeNames: Object.fromEntries(names) }),
    ...(used.length > 0 && { ExpressionAttributeValues: kept(Object.fromEntries(used)) }),
  };
}

function called(text: string, pattern: RegExp): string[] {
  return [...new Set([...text.matchAll(pattern)].map((match) => match[1] ?? ""))];
}

/** What is undefined is left out. */
function kept(item: Item): Marshalled {
  return marshall(item, { removeUndefinedValues: true });
}

type PutInput = NonNullable<TransactWriteItem["Put"]>;
type UpdateInput = NonNullable<TransactWriteItem["Update"]>;
type DeleteInput = NonNullable<TransactWriteItem["Delete"]>;

type WriteParts =
  | { readonly kind: "put"; readonly input: PutInput }
  | { readonly kind: "update"; readonly input: UpdateInput }
  | { readonly kind: "delete"; readonly input: DeleteInput };

/** A write as the SDK's commands take it. */
export function writeParts(TableName: string, write: Write): WriteParts {
  const { when, values = {} } = write;
  const condition = when === undefined ? {} : { ConditionExpression: when };
  if ("put" in write)
    return { kind: "put", input: { TableName, Item: kept(write.put), ...condition, ...bound([when], values) } };
  if ("delete" in write)
    return { kind: "delete", input: { TableName, Key: keyOf(write.delete), ...condition, ...bound([when], values) } };
  const expressions = { UpdateExpression: write.as, ...condition, ...bound([write.as, when], values) };
  return { kind: "update", input: { TableName, Key: keyOf(write.update), ...expressions } };
}

function keyOf({ pk, sk }: Key): Marshalled {
  return marshall({ pk, sk });
}

/** A write as a part of a transaction. */
export function writeItem(tableName: string, write: Write): TransactWriteItem {
  const parts = writeParts(tableName, write);
  switch (parts.kind) {
    case "put":
      return { Put: parts.input };
    case "update":
      return { Update: parts.input };
    case "delete":
      return { Delete: parts.input };
  }
}

/** An item has 400 KB at most, a transaction 4 MB; DynamoDB says so in a ValidationException, alone or as a reason. */
export function isTooLarge(thrown: unknown): boolean {
  return thrown instanceof Error && /item size (has exceeded|to update has exceeded)/i.test(messagesOf(thrown));
}

function messagesOf(error: Error): string {
  const reasons = (error as { CancellationReasons?: { Message?: string }[] }).CancellationReasons ?? [];
  return [error.message, ...reasons.map(({ Message }) => Message)].join("\n");
}
