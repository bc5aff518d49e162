import { createHash, createHmac } from "node:crypto";

/** Of a role, a user or an instance. */
export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

interface Unsigned {
  readonly method: string;
  readonly path: string;
  /** Canonical: sorted, and percent-encoded as RFC 3986 says. */
  readonly query: string;
  /** By lower-case name; `host` and `x-amz-date` among them. All are signed. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** `20260102T030405Z`, as AWS writes moments. */
export function amzDate(at: number): string {
  return new Date(at).toISOString().replace(/[-:]|\.\d+/g, "");
}

/** The `Authorization` header of AWS Signature Version 4 for a request whose every header is signed. */
export function authorizationOf(
  request: Unsigned,
  { accessKeyId, secretAccessKey }: AwsCredentials,
  { region, service }: { readonly region: string; readonly service: string },
): string {
  const names = Object.keys(request.headers).toSorted();
  const date = request.headers["x-amz-date"] ?? "";
  const canonical = [
    request.method,
    request.path,
    request.query,
    ...names.map((name) => `${name}:${request.headers[name]?.trim().replace(/ +/g, " ")}`),
    "",
    names.join(";"),
    sha256(request.body),
  ].join("\n");
  const scope = `${date.slice(0, 8)}/${region}/${service}/aws4_request`;
  const toSign = ["AWS4-HMAC-SHA256", date, scope, sha256(canonical)].join("\n");
  const key = scope
    .split("/")
    .reduce<Buffer>((parent, part) => hmac(parent, part), Buffer.from(`AWS4${secretAccessKey}`));
  const signature = hmac(key, toSign).toString("hex");
  return `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${names.join(";")}, Signature=${signature}`;
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
