import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { SallyportError } from "../../core/errors.ts";
import { identityOf } from "../../infra/identity.ts";
import { type Settings, readSettings } from "../../infra/settings.ts";

const SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:sallyport/oidc-AbCdEf";
const LEAST = {
  issuer: "https://login.shop.example",
  clientId: "sallyport",
  clientSecretArn: SECRET,
  admins: "platform",
  auditors: "security, audit",
  mailFrom: "gate@shop.example",
};

function read(context: Readonly<Record<string, unknown>>, environment: Record<string, string> = {}): Settings {
  return readSettings({ context: (name) => context[name], environment });
}

function failure(context: Readonly<Record<string, unknown>>, environment: Record<string, string> = {}): SallyportError {
  try {
    read(context, environment);
  } catch (thrown) {
    if (thrown instanceof SallyportError) return thrown;
    throw thrown;
  }
  throw new Error("the settings were taken");
}

describe("the settings of a deployment", () => {
  it("need a handful of values, and have a default for the rest", () => {
    const settings = read(LEAST);
    expect(settings).toMatchObject({
      retentionDays: 365,
      minTasks: 2,
      internal: false,
      auditors: ["security", "audit"],
    });
  });

  it("say which one is missing, and the three ways to give it", () => {
    for (const name of ["admins", "auditors", "mailFrom", "issuer", "clientId", "clientSecretArn"] as const) {
      const { [name]: _, ...rest } = LEAST;
      const { code, message, hint } = failure(rest);
      expect(code).toBe("configuration-invalid");
      expect(message).toContain(`the setting ${name} is missing`);
      expect(hint).toMatch(new RegExp(`-c ${name}=.*SALLYPORT_[A-Z_]+.*settings=FILE`));
    }
  });

  it("say that nobody could sign in where no provider is set at all", () => {
    const { admins, auditors, mailFrom } = LEAST;
    expect(failure({ admins, auditors, mailFrom }).message).toContain("no identity provider is set");
  });

  it("are taken from the context before the environment, and from there before the file", () => {
    const file = path.join(mkdtempSync(path.join(tmpdir(), "sallyport-")), "settings.json");
    writeFileSync(file, JSON.stringify({ ...LEAST, retentionDays: 30, minTasks: 3, maxTasks: 4 }));
    const environment = { SALLYPORT_SETTINGS: file, SALLYPORT_RETENTION_DAYS: "60", SALLYPORT_MIN_TASKS: "4" };
    expect(read({ minTasks: "2" }, environment)).toMatchObject({ retentionDays: 60, minTasks: 2, maxTasks: 4 });
  });

  it("are refused with the reason where they are wrong", () => {
    const wrong: readonly (readonly [Readonly<Record<string, unknown>>, string])[] = [
      [{ retentionDays: "0" }, "retentionDays"],
      [{ retentionDays: "a year" }, "retentionDays"],
      [{ logDays: "364" }, "logDays"],
      [{ clientRanges: "everywhere" }, "clientRanges"],
      [{ issuer: "http://login.shop.example" }, "issuer"],
      [{ clientSecretArn: "hunter2" }, "clientSecretArn"],
      [{ domain: "gate.shop.example" }, "certificateArn"],
      [{ certificateArn: "arn:aws:acm:eu-west-1:111122223333:certificate/1" }, "us-east-1"],
      [{ webAclArn: "arn:aws:wafv2:eu-west-1:111122223333:regional/webacl/a/b" }, "webAclArn"],
      [{ vpcId: "vpc-0123456789abcdef0" }, "account and region"],
      [{ minTasks: 5, maxTasks: 4 }, "maxTasks"],
      [{ minTasks: 1 }, "minTasks"],
      [{ cpu: 1024, memory: 1024 }, "cpu 1024"],
      [{ zones: "eu-west-1a" }, "zones"],
      [{ targetSecretPrefix: "*" }, "targetSecretPrefix"],
      [{ targetSecretPrefix: "sallyport" }, "targetSecretPrefix"],
      [{ rdsUsers: "*/*" }, "rdsUsers"],
      [{ rdsUsers: "db-ABC/*" }, "rdsUsers"],
      [{ name: "a b" }, "name"],
      [{ identity: "{" }, "identity"],
      [{ identity: '{"providers":[]}' }, "more than one of"],
      [{ settings: "/nowhere.json" }, "/nowhere.json"],
    ];
    for (const [one, named] of wrong)
      expect(failure({ ...LEAST, ...one }).message, JSON.stringify(one)).toContain(named);
  });

  it("refuse a name in the file that is no setting's, since a typo would silently be the default", () => {
    const file = path.join(mkdtempSync(path.join(tmpdir(), "sallyport-")), "settings.json");
    writeFileSync(file, JSON.stringify({ ...LEAST, retentiondays: 3650 }));
    expect(failure({ settings: file }).message).toContain("retentiondays");
  });

  it("never repeat a value that may be a secret", () => {
    expect(JSON.stringify(failure({ ...LEAST, clientSecretArn: "hunter2" }))).not.toContain("hunter2");
  });
});

describe("the identity providers", () => {
  it("are one of OpenID Connect by its own settings", () => {
    const { json, secretArns } = identityOf(read(LEAST));
    expect(JSON.parse(json)).toMatchObject({ providers: [{ kind: "oidc", clientSecret: { secret: SECRET } }] });
    expect(secretArns).toEqual([SECRET]);
    const asked = identityOf(read({ ...LEAST, scopes: "openid,offline_access", groupsMaxAgeMinutes: "60" })).json;
    expect(JSON.parse(asked)).toMatchObject({
      providers: [{ scopes: ["openid", "offline_access"], groupsMaxAgeMinutes: 60 }],
    });
  });

  it("are one of SAML by the secret that holds its metadata", () => {
    const { issuer: _, clientId: __, clientSecretArn: ___, ...rest } = LEAST;
    const { json, secretArns } = identityOf(read({ ...rest, samlMetadataSecretArn: SECRET }));
    expect(JSON.parse(json)).toMatchObject({ providers: [{ kind: "saml", metadata: { secret: SECRET } }] });
    expect(secretArns).toEqual([SECRET]);
  });

  it("are all those of `identity`, whose secrets are ARNs", () => {
    const { issuer: _, clientId: __, clientSecretArn: ___, ...rest } = LEAST;
    const identity = (secret: string) => ({
      providers: [{ id: "a", kind: "oidc", issuer: LEAST.issuer, clientId: "a", clientSecret: { secret } }],
    });
    expect(identityOf(read({ ...rest, identity: JSON.stringify(identity(SECRET)) })).secretArns).toEqual([SECRET]);
    expect(() => identityOf(read({ ...rest, identity: identity("oidc") }))).toThrow(/no ARN/);
    expect(() => identityOf(read({ ...rest, identity: { providers: [] } }))).toThrow(/identity/);
  });
});
