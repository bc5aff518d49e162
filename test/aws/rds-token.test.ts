import { describe, expect, it } from "vitest";
import { rdsTokens } from "../../aws/rds-token.ts";
import { ANYBODY } from "../setup/moto.ts";

const { credentials, region } = ANYBODY;
const target = { host: "db.x.eu-west-1.rds.amazonaws.com", port: 5433, user: "app user", region: "eu-west-1" };

describe("a token of RDS", () => {
  it("is a presigned request to connect as the user, for the instance's own name, port and region, good for 15 minutes", async () => {
    const token = await rdsTokens({ credentials, region }).token(target);
    const url = new URL(`https://${token}`);
    expect(url.host).toBe("db.x.eu-west-1.rds.amazonaws.com:5433");
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      Action: "connect",
      DBUser: "app user",
      "X-Amz-Expires": "900",
      "X-Amz-Credential": expect.stringMatching(/^test\/\d{8}\/eu-west-1\/rds-db\/aws4_request$/),
      "X-Amz-Signature": expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  it("is of the gateway's own region where the connection names none", async () => {
    const token = await rdsTokens({ credentials, region }).token({ ...target, region: undefined });
    expect(token).toContain("%2Feu-central-1%2Frds-db%2F");
  });

  it("is not made without credentials, and says what is missing", async () => {
    const broken = async (): Promise<never> => {
      throw new Error("no role");
    };
    await expect(rdsTokens({ credentials: broken, region }).token(target)).rejects.toMatchObject({
      code: "store-unavailable",
      hint: expect.stringContaining("rds-db:connect"),
    });
  });
});
