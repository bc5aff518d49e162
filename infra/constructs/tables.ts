import { RemovalPolicy } from "aws-cdk-lib";
import {
  type Attribute,
  AttributeType,
  BillingMode,
  StreamViewType,
  Table,
  TableEncryption,
} from "aws-cdk-lib/aws-dynamodb";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { Construct } from "constructs";
import { ENVIRONMENT } from "../../aws/environment.ts";
import { TABLES, type TableId } from "../../aws/tables.ts";
import { DECRYPT, type Program, USE_KEY, allow } from "../program.ts";

/** No scan: no adapter of ours makes one. */
const READ = ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:ConditionCheckItem"];
const WRITE = ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"];

const VARIABLE = {
  sessions: ENVIRONMENT.sessionsTable,
  passes: ENVIRONMENT.passesTable,
  approvals: ENVIRONMENT.approvalsTable,
  signIns: ENVIRONMENT.signInsTable,
  people: ENVIRONMENT.peopleTable,
  coordination: ENVIRONMENT.coordinationTable,
} as const satisfies Record<TableId, string>;

/** The tables of `aws/tables.ts`: restorable to any second of 35 days, not to be deleted in passing, under our key. */
export class Tables extends Construct {
  private readonly tables: Readonly<Record<TableId, Table>>;
  private readonly key: IKey;

  constructor(scope: Construct, id: string, key: IKey) {
    super(scope, id);
    this.key = key;
    this.tables = {
      sessions: this.table("sessions"),
      passes: this.table("passes"),
      approvals: this.table("approvals"),
      signIns: this.table("signIns"),
      people: this.table("people"),
      coordination: this.table("coordination"),
    };
  }

  grantRead(program: Program, ...ids: readonly TableId[]): void {
    for (const id of ids) this.grant(program, id, READ, DECRYPT);
  }

  grantReadWrite(program: Program, ...ids: readonly TableId[]): void {
    for (const id of ids) this.grant(program, id, [...READ, ...WRITE], USE_KEY);
  }

  /** To look, and to delete what is over. */
  grantForget(program: Program, ...ids: readonly TableId[]): void {
    for (const id of ids) this.grant(program, id, [...READ, "dynamodb:DeleteItem"], USE_KEY);
  }

  /** The table whose stream tells of held and decided requests. */
  get approvals(): Table {
    return this.tables.approvals;
  }

  private grant(program: Program, id: TableId, actions: readonly string[], keyActions: readonly string[]): void {
    const { tableName, tableArn } = this.tables[id];
    program.addEnvironment(VARIABLE[id], tableName);
    allow(program, { actions, resources: [tableArn] });
    allow(program, { actions: keyActions, resources: [this.key.keyArn] });
  }

  /** `Table`, as a `TableV2` takes a customer key in a stack without an account and a region only by a replica's rules. */
  private table(id: TableId): Table {
    const { partitionKey, sortKey, timeToLiveAttribute, stream } = TABLES[id];
    return new Table(this, id.charAt(0).toUpperCase() + id.slice(1), {
      partitionKey: attribute(partitionKey.name),
      sortKey: attribute(sortKey.name),
      billingMode: BillingMode.PAY_PER_REQUEST,
      timeToLiveAttribute,
      encryption: TableEncryption.CUSTOMER_MANAGED,
      encryptionKey: this.key,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: true,
      removalPolicy: RemovalPolicy.RETAIN,
      ...(stream && { stream: StreamViewType[stream] }),
    });
  }
}

/** All keys of ours are strings. */
function attribute(name: string): Attribute {
  return { name, type: AttributeType.STRING };
}
