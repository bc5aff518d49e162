import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What becomes of a request: served, or one of the failures that a stand-in for S3 seldom makes. */
export type Fate =
  | "serve"
  /** Served, but the answer is lost with its connection. */
  | "lose-answer"
  /** The connection is cut in the middle of what is sent, or of what is answered. */
  | "cut"
  /** Never answered. */
  | "hang"
  | { readonly status: number; readonly code: string };

export interface Asked {
  readonly method: string;
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
}

interface Kept {
  body: Buffer;
  checksum: string | undefined;
}

export interface FakeS3 {
  readonly endpoint: string;
  /** By key, within whatever bucket. */
  readonly objects: Map<string, Kept>;
  readonly asked: Asked[];
  /** Decides over each request to come. */
  fate: (asked: Asked) => Fate;
  close(): Promise<void>;
}

/** As much of S3 as an object store of ours asks for, by the documented rules: checksums, conditions, pages. */
export async function startFakeS3(): Promise<FakeS3> {
  const server = createServer((request, response) => void handle(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const fake: FakeS3 = {
    endpoint: `http://127.0.0.1:${port}`,
    objects: new Map(),
    asked: [],
    fate: () => "serve",
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? "/", fake.endpoint);
    const key = decodeURIComponent(url.pathname.split("/").slice(2).join("/"));
    const asked = { method: request.method ?? "", key, query: url.searchParams, headers: request.headers };
    fake.asked.push(asked);
    const fate = fake.fate(asked);
    if (fate === "hang") return;
    if (fate === "cut" && asked.method === "PUT") {
      request.once("data", () => request.socket.destroy());
      return;
    }
    const body = await whole(request);
    if (body === undefined) return;
    const answer = typeof fate === "object" ? refusal(fate.status, fate.code) : serve(fake.objects, asked, body);
    if (fate === "lose-answer") return void request.socket.destroy();
    response.writeHead(answer.status, { ...answer.headers, "content-length": answer.length ?? answer.body.length });
    if (fate !== "cut") return void response.end(asked.method === "HEAD" ? undefined : answer.body);
    response.write(answer.body.subarray(0, answer.body.length >> 1), () => request.socket.destroy());
  };
  return fake;
}

/** A body; undefined where its sender went away before it was whole. */
async function whole(request: IncomingMessage): Promise<Buffer | undefined> {
  const parts: Buffer[] = [];
  try {
    for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
    return Buffer.concat(parts);
  } catch {
    return undefined;
  }
}

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
  readonly length?: number;
}

function refusal(status: number, code: string): Answer {
  const body = Buffer.from(`<Error><Code>${code}</Code><Message>${code}</Message></Error>`);
  return { status, headers: { "content-type": "application/xml" }, body };
}

const etagOf = (body: Buffer): string => `"${createHash("md5").update(body).digest("hex")}"`;

function serve(objects: Map<string, Kept>, { method, key, query, headers }: Asked, body: Buffer): Answer {
  if (method === "GET" && query.has("list-type")) return page(objects, query);
  const there = objects.get(key);
  if (method === "PUT") return put(objects, key, headers, body);
  if (there === undefined) return refusal(404, "NoSuchKey");
  const etag = etagOf(there.body);
  if (headers["if-none-match"] === etag) return { status: 304, headers: { etag }, body: Buffer.alloc(0) };
  const checksum = there.checksum === undefined ? {} : { "x-amz-checksum-sha256": there.checksum };
  return { status: 200, headers: { etag, ...checksum }, body: there.body };
}

/** PutObject: `If-None-Match: *` and `If-Match`, then the checksum, and only then the object. */
function put(objects: Map<string, Kept>, key: string, headers: Asked["headers"], body: Buffer): Answer {
  const there = objects.get(key);
  if (headers["if-none-match"] === "*" && there) return refusal(412, "PreconditionFailed");
  const match = headers["if-match"];
  if (match !== undefined && !there) return refusal(404, "NoSuchKey");
  if (match !== undefined && there && match !== etagOf(there.body)) return refusal(412, "PreconditionFailed");
  const checksum = createHash("sha256").update(body).digest("base64");
  if (headers["x-amz-checksum-sha256"] !== checksum) return refusal(400, "BadDigest");
  objects.set(key, { body, checksum });
  return { status: 200, headers: { etag: etagOf(body) }, body: Buffer.alloc(0) };
}

/** ListObjectsV2: keys in the order of their bytes; the token is the last key of the page before. */
function page(objects: Map<string, Kept>, query: URLSearchParams): Answer {
  const after = query.get("continuation-token") ?? "";
  const max = Number(query.get("max-keys") ?? 1_000);
  const keys = [...objects.keys()].filter((key) => key.startsWith(query.get("prefix") ?? "") && key > after).toSorted();
  const some = keys.slice(0, max);
  const more = keys.length > some.length;
  const contents = some.map((key) => `<Contents><Key>${key}</Key></Contents>`).join("");
  const next = more ? `<NextContinuationToken>${some.at(-1)}</NextContinuationToken>` : "";
  const body = `<ListBucketResult><IsTruncated>${more}</IsTruncated>${next}${contents}</ListBucketResult>`;
  return { status: 200, headers: { "content-type": "application/xml" }, body: Buffer.from(body) };
}
