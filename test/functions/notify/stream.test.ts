import { randomBytes } from "node:crypto";
import { marshall } from "@aws-sdk/util-dynamodb";
import type { DynamoDBRecord } from "aws-lambda";
import { pino } from "pino";
import { beforeEach, describe, expect, test } from "vitest";
import { approvalItem, approvalKey } from "../../../aws/dynamo/approval-item.ts";
import { newApprovalIn } from "../../../aws/dynamo/approval-stream.ts";
import { answer } from "../../../core/approval/state.ts";
import { transition } from "../../../core/approval/transition.ts";
import { SallyportError } from "../../../core/errors.ts";
import type { Approval, ApprovalStore } from "../../../core/ports/approval-store.ts";
import type { Mail } from "../../../core/ports/mailer.ts";
import { notifyBatch } from "../../../functions/notify/stream-batch.ts";
import { type StreamNotifyDeps, streamNotifier } from "../../../functions/notify/stream-notifier.ts";
import { sqliteApprovalStore } from "../../../local/approval-store.ts";
import { openDatabase } from "../../../local/database.ts";
import { sqlitePeopleStore } from "../../../local/people-store.ts";
import { BOB, ERIN, LIFETIME_MS, NOW, requested } from "../../setup/approvals.ts";
import { memorySentMails } from "../../setup/memory-sent-mails.ts";

let store: ApprovalStore;
let sent: Mail[];
let log: string[];
let refused: Set<string>;
let time: number;
let deps: StreamNotifyDeps;

beforeEach(async () => {
  const db = openDatabase(":memory:");
  const people = sqlitePeopleStore(db);
  [store, sent, log, refused, time] = [sqliteApprovalStore(db), [], [], new Set(), NOW];
  for (const { id, name, groups } of [BOB, ERIN])
    await people.signedIn({ id, name, email: name, groups, seenAt: NOW, freshUntil: NOW });
  deps = {
    baseUrl: "https://sallyport.example",
    tokenKey: randomBytes(32),
    approvals: store,
    people,
    directory: () => [],
    sent: memorySentMails(),
    mailer: {
      send: async (mail) => {
        await Promise.resolve();
        if (refused.has(mail.to.email)) throw new SallyportError("mail-unavailable", "SES is away");
        sent.push(mail);
      },
    },
    clock: () => time,
    logger: pino({ base: null }, { write: (line: string) => void log.push(line) }),
  };
});

let sequence = 0;

/** A record as the stream of the table shows it. */
function record(approval: Approval, over: Partial<DynamoDBRecord> = {}): DynamoDBRecord {
  const image = { ...approvalKey(approval.id), ...approvalItem(approval), ttl: 1 };
  return {
    eventID: randomBytes(16).toString("hex"),
    eventName: "INSERT",
    eventVersion: "1.1",
    eventSource: "aws:dynamodb",
    awsRegion: "eu-central-1",
    dynamodb: {
      ApproximateCreationDateTime: NOW / 1000,
      Keys: streamed(approvalKey(approval.id)),
      NewImage: streamed(image),
      SequenceNumber: String(100_000 + sequence++),
      SizeBytes: 1_000,
      StreamViewType: "NEW_IMAGE",
    },
    eventSourceARN: "arn:aws:dynamodb:eu-central-1:123456789012:table/approvals/stream/2026-11-26T10:00:00.000",
    ...over,
  };
}

/** The stream's JSON has the shape that the SDK's attribute values have. */
function streamed(item: object): NonNullable<NonNullable<DynamoDBRecord["dynamodb"]>["NewImage"]> {
  return JSON.parse(JSON.stringify(marshall(item, { removeUndefinedValues: true })));
}

async function put(): Promise<Approval> {
  const approval = requested();
  await store.put(approval);
  return approval;
}

const run = (...records: DynamoDBRecord[]) => {
  const notifier = streamNotifier(deps);
  return notifyBatch({ Records: records }, async () => notifier, newApprovalIn, deps.logger);
};
const addressees = () => sent.map(({ to }) => to.email).toSorted();

describe("a record of a new request", () => {
  test("is a mail to each approver, handed over before the batch is done", async () => {
    const approval = await put();
    expect(await run(record(approval))).toEqual({ batchItemFailures: [] });
    expect(addressees()).toEqual(["bob@shop.example", "erin@shop.example"]);
    expect(sent[0]?.text).toContain("https://sallyport.example/approvals/by-mail?token=");
  });

  test("is no mail more where its batch is tried again", async () => {
    const approval = await put();
    const again = record(approval);
    await run(again);
    await run(again);
    await run(record(await put()), again);
    expect(sent).toHaveLength(4);
  });

  test("that fails for one approver is tried again for that one alone, and holds up nobody else", async () => {
    refused.add("bob@shop.example");
    const [first, second] = [record(await put()), record(await put())];
    expect(await run(first, second)).toEqual({
      batchItemFailures: [first, second].map(({ dynamodb }) => ({ itemIdentifier: dynamodb?.SequenceNumber })),
    });
    expect(addressees()).toEqual(["erin@shop.example", "erin@shop.example"]);
    refused.clear();
    expect(await run(first, second)).toEqual({ batchItemFailures: [] });
    expect(addressees().filter((email) => email === "bob@shop.example")).toHaveLength(2);
    expect(sent).toHaveLength(4);
  });

  test("is tried again where the store does not answer, and where nothing can start", async () => {
    const one = record(await put());
    const away = async (): Promise<never> => {
      throw new SallyportError("store-unavailable", "DynamoDB is away");
    };
    const failure = { batchItemFailures: [{ itemIdentifier: one.dynamodb?.SequenceNumber }] };
    deps = { ...deps, sent: { wasSent: away, noteSent: away } };
    expect(await run(one)).toEqual(failure);
    expect(await notifyBatch({ Records: [one] }, away, newApprovalIn, deps.logger)).toEqual(failure);
    expect(sent).toEqual([]);
  });

  test("is sent again rather than lost where it could not be noted that it was sent", async () => {
    const one = record(await put());
    const { sent: marks } = deps;
    let failures = 1;
    const noteSent: typeof marks.noteSent = async (...given) => {
      if (failures-- > 0) throw new SallyportError("store-unavailable", "DynamoDB is away");
      return marks.noteSent(...given);
    };
    deps = { ...deps, sent: { ...marks, noteSent } };
    expect((await run(one)).batchItemFailures).toHaveLength(1);
    expect((await run(one)).batchItemFailures).toHaveLength(0);
    expect(addressees()).toEqual(["bob@shop.example", "bob@shop.example", "erin@shop.example"]);
  });

  test("is no mail where it was decided, or has expired, meanwhile", async () => {
    const decided = await put();
    await transition(store, decided.id, (it) => answer(it, { by: BOB, consents: true, words: "" }, NOW));
    expect(await run(record(decided))).toEqual({ batchItemFailures: [] });
    const late = await put();
    time = NOW + LIFETIME_MS;
    expect(await run(record(late))).toEqual({ batchItemFailures: [] });
    expect(sent).toEqual([]);
  });
});

describe("other records", () => {
  test("are no mail: changes, removals, the entries of views, and what is nothing of ours", async () => {
    const approval = await put();
    const plain = record(approval);
    const { dynamodb } = plain;
    const view = { ...dynamodb?.NewImage, sk: { S: "0001800000000000id" } };
    const records: DynamoDBRecord[] = [
      record(approval, { eventName: "MODIFY" }),
      { ...record(approval, { eventName: "REMOVE" }), dynamodb: { ...dynamodb, NewImage: undefined } },
      { ...plain, dynamodb: { ...dynamodb, NewImage: view } },
      { eventName: "INSERT" },
      {},
    ];
    expect(await run(...records)).toEqual({ batchItemFailures: [] });
    expect(sent).toEqual([]);
  });
});
