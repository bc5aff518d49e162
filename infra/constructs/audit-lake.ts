import { Stack } from "aws-cdk-lib";
import { CfnWorkGroup } from "aws-cdk-lib/aws-athena";
import { CfnDatabase, CfnTable } from "aws-cdk-lib/aws-glue";
import type { Bucket } from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";
import {
  AUDIT_COLUMNS,
  AUDIT_PARTITION_KEYS,
  AUDIT_PREFIX,
  AUDIT_STORAGE,
  AUDIT_TABLE,
  auditTableProperties,
} from "../../aws/audit-table.ts";
import { ENVIRONMENT } from "../../aws/environment.ts";
import { type Program, USE_KEY, allow, seenFrom } from "../program.ts";
import type { Settings } from "../settings.ts";
import { type BucketContext, evidenceBucket, objectsOf, passingBucket } from "./buckets.ts";

/** Results of queries can be asked for again. Days. */
const RESULT_DAYS = 30;
/** A query that reads more was a mistake: about ten dollars' worth. Bytes. */
const MAX_SCANNED = 2 * 1024 ** 4;
/** Before the first release there is nothing to ask for. */
const FIRST_DAY = "2026-01-01";

/** OCSF events under Object Lock, and the way to ask them by SQL. */
export class AuditLake extends Construct {
  readonly bucket: Bucket;
  private readonly context: BucketContext;

  constructor(scope: Construct, id: string, settings: Settings, context: BucketContext) {
    super(scope, id);
    this.context = context;
    this.bucket = evidenceBucket(this, "Bucket", settings, context);
    const results = passingBucket(this, "Results", RESULT_DAYS, context);
    const database = this.catalogue(settings.name.toLowerCase());
    const group = new CfnWorkGroup(this, "WorkGroup", {
      name: settings.name.toLowerCase(),
      description: "Sallyport: questions to the audit log",
      // What was asked, and when, stays with the workgroup: it goes only when it is empty.
      recursiveDeleteOption: false,
      workGroupConfiguration: {
        enforceWorkGroupConfiguration: true,
        publishCloudWatchMetricsEnabled: true,
        bytesScannedCutoffPerQuery: MAX_SCANNED,
        resultConfiguration: {
          outputLocation: `s3://${results.bucketName}/`,
          encryptionConfiguration: { encryptionOption: "SSE_KMS", kmsKey: context.key.keyArn },
        },
      },
    });
    group.addResourceDependency(database);
  }

  /** May add events; may neither read nor delete any. */
  grantWrite(program: Program): void {
    program.addEnvironment(ENVIRONMENT.auditBucket, this.bucket.bucketName);
    allow(program, {
      actions: ["s3:PutObject"],
      resources: [objectsOf(this.bucket, (owner, value) => seenFrom(program, owner, value), AUDIT_PREFIX)],
      because: "Events are named by day and batch, which no deployment knows; the bucket and its folder bound them.",
    });
    allow(program, { actions: USE_KEY, resources: [this.context.key.keyArn] });
  }

  private catalogue(databaseName: string): CfnDatabase {
    const { account } = Stack.of(this);
    const location = `s3://${this.bucket.bucketName}/${AUDIT_PREFIX}`;
    const database = new CfnDatabase(this, "Database", {
      catalogId: account,
      databaseInput: { name: databaseName, description: "Sallyport: the audit log" },
    });
    const table = new CfnTable(this, "Table", {
      catalogId: account,
      databaseName,
      tableInput: {
        name: AUDIT_TABLE,
        description: "OCSF events, newline-delimited JSON, by day",
        tableType: "EXTERNAL_TABLE",
        partitionKeys: [...AUDIT_PARTITION_KEYS],
        parameters: auditTableProperties(this.bucket.bucketName, FIRST_DAY),
        storageDescriptor: {
          location,
          compressed: true,
          columns: [...AUDIT_COLUMNS],
          inputFormat: AUDIT_STORAGE.inputFormat,
          outputFormat: AUDIT_STORAGE.outputFormat,
          serdeInfo: {
            serializationLibrary: AUDIT_STORAGE.serializationLibrary,
            parameters: AUDIT_STORAGE.serdeParameters,
          },
        },
      },
    });
    table.addResourceDependency(database);
    return database;
  }
}
