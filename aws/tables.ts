/**
 * The tables of `docs/adr/0015-dynamodb-tables.md`, as data: `infra/` makes them in an account, tests on Amazon's local engine.
 *
 * All six have the same key and no global secondary index: what is asked for by something else than a key is an item of its own,
 * written in the transaction of what it points to, so that every answer can be read strongly consistently.
 */
export interface TableShape {
  readonly partitionKey: KeyAttribute;
  readonly sortKey: KeyAttribute;
  readonly billingMode: "PAY_PER_REQUEST";
  /** Seconds since the epoch after which DynamoDB may delete the item; some have none. */
  readonly timeToLiveAttribute: string;
  readonly stream: "NEW_IMAGE" | undefined;
}

interface KeyAttribute {
  readonly name: string;
  readonly type: "S";
}

const SHAPE = {
  partitionKey: { name: "pk", type: "S" },
  sortKey: { name: "sk", type: "S" },
  billingMode: "PAY_PER_REQUEST",
  timeToLiveAttribute: "ttl",
  stream: undefined,
} as const satisfies TableShape;

export const TABLES = {
  /** The index of sessions. */
  sessions: SHAPE,
  /** Passes, by the hash of their text. */
  passes: SHAPE,
  /** What people are asked for consent. Mails are sent from its stream. */
  approvals: { ...SHAPE, stream: "NEW_IMAGE" },
  /** Device requests, wrong codes, tokens that were signed out. */
  signIns: SHAPE,
  /** Who has signed in, and their SSH keys. */
  people: SHAPE,
  /** Leases on spools and cancel keys. */
  coordination: SHAPE,
} as const satisfies Record<string, TableShape>;

export type TableId = keyof typeof TABLES;
