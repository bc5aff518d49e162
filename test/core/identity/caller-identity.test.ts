import { describe, expect, test } from "vitest";
import { parseServices } from "../../../core/config/services.ts";
import { amzDate, authorizationOf } from "../../../core/identity/aws-sigv4.ts";
import {
  callerArn,
  MAX_SKEW_MS,
  normalArn,
  parseCallerIdentity,
  recogniseCaller,
  signCallerIdentity,
} from "../../../core/identity/caller-identity.ts";

const NOW = Date.parse("2026-11-29T00:30:00Z");
const AUDIENCE = "https://sallyport.example";
const CREDENTIALS = {
  accessKeyId: "ASIAEXAMPLEEXAMPLE12",
  secretAccessKey: "s3cret",
  sessionToken: "FwoGZXIvYXdzE+/=",
};

interface Envelope {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string;
}

const sign = (region = "eu-west-1", audience = AUDIENCE, now = NOW): string =>
  signCallerIdentity(CREDENTIALS, { audience, region: region === "" ? undefined : region, now });
const opened = (token = sign()): Envelope => JSON.parse(Buffer.from(token, "base64url").toString()) as Envelope;
const sealed = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const parse = (value: unknown, now = NOW) => parseCallerIdentity(sealed(value), AUDIENCE, now);
const changed = (over: Partial<Envelope>): Envelope => ({ ...opened(), ...over });
const withHeaders = (over: Record<string, string | undefined>): Envelope => {
  const headers = Object.entries({ ...opened().headers, ...over }).filter(([, value]) => value !== undefined);
  return changed({ headers: Object.fromEntries(headers) as Record<string, string> });
};

test("a request is signed as AWS's own published example is (Signature Version 4, ListUsers)", () => {
  const headers = {
    "content-type": "application/x-www-form-urlencoded; charset=utf-8",
    host: "iam.amazonaws.com",
    "x-amz-date": "20150830T123600Z",
  };
  const request = { method: "GET", path: "/", query: "Action=ListUsers&Version=2010-05-08", headers, body: "" };
  const keys = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" };
  expect(authorizationOf(request, keys, { region: "us-east-1", service: "iam" })).toBe(
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
  );
});

describe("a signed GetCallerIdentity", () => {
  test("is taken as it was signed, for each STS, within five minutes either way", () => {
    for (const region of ["eu-west-1", "us-gov-west-1", ""])
      for (const skew of [0, MAX_SKEW_MS, -MAX_SKEW_MS]) {
        const request = parseCallerIdentity(sign(region), AUDIENCE, NOW + skew);
        expect(request.url).toBe(`https://sts.${region === "" ? "" : `${region}.`}amazonaws.com/`);
        expect(request.body).toBe("Action=GetCallerIdentity&Version=2011-06-15");
        expect(request.once).toMatch(/^aws:[0-9a-f]{64}$/);
        expect(request.expiresAt).toBeGreaterThan(NOW + MAX_SKEW_MS);
      }
  });

  test.each([
    "http://sts.eu-west-1.amazonaws.com/",
    "https://sts.eu-west-1.amazonaws.com",
    "https://sts.eu-west-1.amazonaws.com:443/",
    "https://sts.eu-west-1.amazonaws.com:8443/",
    "https://user@sts.eu-west-1.amazonaws.com/",
    "https://sts.eu-west-1.amazonaws.com@evil.example/",
    "https://sts.eu-west-1.amazonaws.com.evil.example/",
    "https://evil.example/sts.eu-west-1.amazonaws.com/",
    "https://evil-sts.eu-west-1.amazonaws.com/",
    "https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity",
    "https://sts.eu-west-1.amazonaws.com/#",
    "https://sts.eu-west-1.amazonaws.com//",
    "https://sts.eu-west-1.amazonaws.com/..",
    "https://sts.eu-west-1.amazonaws.com\\@evil.example/",
    "https://sts.eu-west-1.amazonaws.com/\n",
    "https://STS.eu-west-1.amazonaws.com/",
    "https://sts.eu-west-1.amazonaws.com./",
    "https://sts.eu-west-9.amazonaws.com/",
    "https://sts..amazonaws.com/",
    "https://sts.s3.amazonaws.com/",
    "https://sts.eu-west-1.amazonaws.com.cn/",
    "https://sts.eu-wеst-1.amazonaws.com/",
    "https://127.0.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "file:///etc/passwd",
    "",
  ])("is never sent to %s", (url) => {
    expect(() => parse(changed({ url }))).toThrow(/not taken/);
    const host = URL.parse(url)?.host ?? "";
    expect(() => parse({ ...withHeaders({ host }), url })).toThrow(/not taken/);
  });

  test.each([
    ["GET", changed({ method: "GET" })],
    ["lower case", changed({ method: "post" })],
    ["no method", { ...opened(), method: undefined }],
    ["another action", changed({ body: "Action=AssumeRole&Version=2011-06-15" })],
    ["a second action", changed({ body: `${opened().body}&Action=AssumeRole` })],
    ["an action before it", changed({ body: `Action=AssumeRole&${opened().body}` })],
    ["no body", changed({ body: "" })],
    ["another member", { ...opened(), redirect: "follow" }],
    ["a header of the client's", withHeaders({ "x-forwarded-host": "evil.example" })],
    ["a header that changes the action", withHeaders({ "x-amz-target": "AssumeRole" })],
    ["a header in upper case", withHeaders({ Host: "sts.eu-west-1.amazonaws.com" })],
    ["a line break in a header", withHeaders({ "x-amz-security-token": "a\r\nhost: evil.example" })],
    ["no host", withHeaders({ host: undefined })],
    ["another host", withHeaders({ host: "sts.eu-west-2.amazonaws.com" })],
    ["no date", withHeaders({ "x-amz-date": undefined })],
    ["a date of another form", withHeaders({ "x-amz-date": "2026-11-29T00:30:00Z" })],
    ["no audience", withHeaders({ "x-sallyport-audience": undefined })],
    ["another audience", withHeaders({ "x-sallyport-audience": "https://sallyport.evil" })],
    ["no signature", withHeaders({ authorization: undefined })],
    ["another scheme", withHeaders({ authorization: "Bearer abc" })],
    ["a list of envelopes", [opened()]],
    ["nothing", null],
  ])("is refused with %s", (_what, value) => {
    expect(() => parse(value)).toThrow(/not taken/);
  });

  test("is refused where a header that matters is there and not signed", () => {
    for (const name of ["host", "x-amz-date", "x-sallyport-audience", "x-amz-security-token", "content-type"]) {
      const { authorization = "" } = opened().headers;
      const unsigned = authorization.replace(/SignedHeaders=[^,]*/, (list) =>
        list.replace(new RegExp(`(?<==|;)${name}(;|$)`), "").replace(/;$/, ""),
      );
      expect(unsigned).not.toBe(authorization);
      expect(() => parse(withHeaders({ authorization: unsigned }))).toThrow(`the header ${name} is not signed`);
    }
  });

  test("is refused where the scope of its signature is another service's, region's or day's", () => {
    for (const [from, to] of [
      ["/sts/", "/s3/"],
      ["/eu-west-1/", "/eu-west-2/"],
      ["/20261129/", "/20261128/"],
      ["aws4_request", "aws4_requests"],
    ] as const) {
      const authorization = opened().headers["authorization"]?.replace(from, to) ?? "";
      expect(() => parse(withHeaders({ authorization }))).toThrow(/not taken/);
    }
  });

  test("is refused a moment after five minutes, before them, and for another Sallyport", () => {
    for (const skew of [MAX_SKEW_MS + 1, -MAX_SKEW_MS - 1, 864e5, Number.NaN])
      expect(() => parse(opened(), NOW + skew)).toThrow(/five minutes/);
    for (const audience of ["https://sallyport.example.evil", `${AUDIENCE}/`, "", "HTTPS://sallyport.example"])
      expect(() => parseCallerIdentity(sign("eu-west-1", audience), AUDIENCE, NOW)).toThrow(/x-sallyport-audience/);
  });

  test("is refused where it is no base64url of JSON, however long", () => {
    for (const text of ["", "{}", "e30", "%", "a".repeat(100_000), sealed({}), Buffer.from("{").toString("base64url")])
      expect(() => parseCallerIdentity(text, AUDIENCE, NOW)).toThrow(/not taken/);
  });

  test("has a name of its own for each signature", () => {
    const names = [sign(), sign("us-east-1"), sign("eu-west-1", AUDIENCE, NOW + 1000)].map(
      (token) => parseCallerIdentity(token, AUDIENCE, NOW).once,
    );
    expect(new Set(names).size).toBe(3);
    expect(amzDate(NOW)).toBe("20261129T003000Z");
  });
});

describe("the answer of STS", () => {
  const answer = (Arn: unknown, Account: unknown = "123456789012"): string =>
    JSON.stringify({ GetCallerIdentityResponse: { GetCallerIdentityResult: { Arn, Account, UserId: "AIDA" } } });

  test("names the caller, or is none", () => {
    expect(callerArn(answer("arn:aws:iam::123456789012:user/ci"))).toBe("arn:aws:iam::123456789012:user/ci");
    for (const text of [
      "",
      "<xml/>",
      "{}",
      "[]",
      answer(7),
      answer("arn"),
      answer("arn:aws:iam::210987654321:user/ci"),
    ])
      expect(() => callerArn(text)).toThrow(/STS/);
  });

  const listed = (arn: string) =>
    parseServices({ awsIdentities: [{ arn, service: "ci", groups: ["g"] }] }).awsIdentities;
  const session = (role: string, name = "i-0abc", account = "123456789012"): string =>
    `arn:aws:sts::${account}:assumed-role/${role}/${name}`;

  test("an assumed role is its role, with or without the path that STS does not tell", () => {
    expect(normalArn(session("deployer"))).toBe("arn:aws:iam::123456789012:role/deployer");
    for (const arn of ["role/deployer", "role/ci/eu/deployer"])
      expect(recogniseCaller(listed(`arn:aws:iam::123456789012:${arn}`), session("deployer"))).toMatchObject({
        principal: { kind: "service", id: "service|ci", groups: ["g"] },
        maxPassMinutes: 60,
      });
  });

  test("a session's name is matched to its end, or to the wildcard, and never beyond its role", () => {
    const wild = listed(session("batch", "night-*"));
    expect(recogniseCaller(wild, session("batch", "night-1")).principal.name).toBe("ci");
    expect(recogniseCaller(listed(session("batch", "night")), session("batch", "night")).principal.name).toBe("ci");
    for (const arn of [
      session("batch", "day-night-1"),
      session("batch2", "night-1"),
      session("batch", "night-1", "999999999999"),
      session("batch", "night-1/x"),
      "arn:aws:iam::123456789012:role/batch",
    ])
      expect(() => recogniseCaller(wild, arn)).toThrow(/no entry of awsIdentities/);
    expect(() => recogniseCaller(listed(session("batch", "night")), session("batch", "night-1"))).toThrow(/no entry/);
  });

  test("nobody else is somebody who is listed", () => {
    for (const arn of [
      session("deployer2"),
      session("Deployer"),
      session("deployer", "i-0abc", "123456789013"),
      session("deployer").replace("arn:aws:", "arn:aws-cn:"),
      "arn:aws:iam::123456789012:user/deployer",
      "arn:aws:iam::123456789012:root",
      "arn:aws:sts::123456789012:federated-user/deployer",
      "",
    ])
      expect(() => recogniseCaller(listed("arn:aws:iam::123456789012:role/deployer"), arn)).toThrow(/no entry/);
  });

  test.each([
    "arn:aws:iam::123456789012:role/*",
    "arn:aws:iam::*:role/deployer",
    "arn:aws:iam::123456789012:role/dep*",
    "arn:aws:iam::123456789012:root",
    "arn:aws:sts::123456789012:assumed-role/*/x",
    "arn:aws:sts::123456789012:assumed-role/deployer/",
    "arn:aws:sts::123456789012:assumed-role/deployer/a*b",
    "arn:aws:sts::123456789012:assumed-role/deployer/**",
    "arn:aws:iam::12345678901:role/deployer",
    "*",
    "",
  ])("the allow-list takes no %s", (arn) => {
    expect(() => listed(arn)).toThrow(/services.yaml is not valid/);
  });
});
