import type { APIGatewayProxyEventV2, Context } from "aws-lambda";

/** What differs between requests. */
export interface Asked {
  readonly method?: string;
  /** As HTTP APIs hand it over: decoded. */
  readonly path: string;
  /** As it stands after the `?`. */
  readonly query?: string;
  /** By their names in lower case, as HTTP APIs write them. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly cookies?: readonly string[];
  readonly body?: string;
  readonly base64?: boolean;
  readonly sourceIp?: string;
  readonly stage?: string;
}

/** Of documentation (RFC 5737). */
export const SOURCE_IP = "192.0.2.44";
const DOMAIN = "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com";

/** An event with every field that an HTTP API with payload format 2.0 and a Lambda proxy integration sends. */
export function apiEvent(asked: Asked): APIGatewayProxyEventV2 {
  const { method = "GET", path, query = "", headers = {}, cookies, body, base64 = false, stage = "$default" } = asked;
  const sourceIp = asked.sourceIp ?? SOURCE_IP;
  return {
    version: "2.0",
    routeKey: "$default",
    rawPath: path,
    rawQueryString: query,
    ...(cookies === undefined ? {} : { cookies: [...cookies] }),
    headers: {
      accept: "application/json",
      "accept-encoding": "gzip, deflate, br",
      ...(body === undefined ? {} : { "content-length": String(body.length) }),
      host: DOMAIN,
      "user-agent": "curl/8.14.1",
      "x-amzn-trace-id": "Root=1-6745f1f0-5f0c1a2b3c4d5e6f7a8b9c0d",
      "x-forwarded-for": `198.51.100.99, ${sourceIp}`,
      "x-forwarded-port": "443",
      "x-forwarded-proto": "https",
      ...headers,
    },
    ...(query === "" ? {} : { queryStringParameters: joined(query) }),
    requestContext: {
      accountId: "123456789012",
      apiId: "a1b2c3d4e5",
      domainName: DOMAIN,
      domainPrefix: "a1b2c3d4e5",
      http: { method, path, protocol: "HTTP/1.1", sourceIp, userAgent: "curl/8.14.1" },
      requestId: "JKJaXmPLvHcESHA=",
      routeKey: "$default",
      stage,
      time: "26/Nov/2026:10:15:30 +0000",
      timeEpoch: 1_795_688_130_000,
    },
    ...(body === undefined ? {} : { body }),
    isBase64Encoded: base64,
  };
}

/** HTTP APIs join the values of a key that is repeated. */
function joined(query: string): Record<string, string> {
  const all = new URLSearchParams(query);
  return Object.fromEntries([...new Set(all.keys())].map((key) => [key, all.getAll(key).join(",")]));
}

export const LAMBDA_CONTEXT: Context = {
  callbackWaitsForEmptyEventLoop: true,
  functionName: "sallyport-auth",
  functionVersion: "$LATEST",
  invokedFunctionArn: "arn:aws:lambda:eu-central-1:123456789012:function:sallyport-auth",
  memoryLimitInMB: "512",
  awsRequestId: "8f507cfc-xmpl-4697-b07a-ac58fc914c95",
  logGroupName: "/aws/lambda/sallyport-auth",
  logStreamName: "2026/11/26/[$LATEST]0123456789abcdef0123456789abcdef",
  getRemainingTimeInMillis: () => 10_000,
  done: () => {},
  fail: () => {},
  succeed: () => {},
};
