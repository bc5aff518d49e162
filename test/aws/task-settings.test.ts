import { describe, expect, it } from "vitest";
import { SallyportError } from "../../core/errors.ts";
import { CLOSE_WITHIN_SECONDS, STOP_WITHIN_SECONDS, taskSettings } from "../../aws/task-settings.ts";

const SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:it-AbCdEf";
const GOOD = {
  SALLYPORT_TLS_SECRET: SECRET,
  SALLYPORT_SSH_HOST_KEY_SECRET: SECRET,
  SALLYPORT_MASKING_KEY_SECRET: SECRET,
  SALLYPORT_PUBLIC_URL: "https://sallyport.example",
};

function faultOf(environment: Record<string, string | undefined>): string {
  try {
    taskSettings(environment);
  } catch (thrown) {
    if (thrown instanceof SallyportError && thrown.code === "configuration-invalid") return thrown.message;
    throw thrown;
  }
  return "";
}

describe("what a gateway task is told", () => {
  it("needs its secrets and the public origin, and nothing else", () => {
    expect(taskSettings(GOOD)).toMatchObject({
      postgresPort: 5432,
      sshPort: 2222,
      healthPort: 8080,
      listenHost: "0.0.0.0",
    });
  });

  it("says of each variable that is missing that it is, all in one message", () => {
    expect(faultOf({})).toBe(
      Object.keys(GOOD)
        .map((name) => `${name} is not set.`)
        .join(" "),
    );
  });

  it.each([
    ["SALLYPORT_TLS_SECRET", "-----BEGIN PRIVATE KEY-----", "is no ARN of secretsmanager"],
    ["SALLYPORT_PUBLIC_URL", "https://sallyport.example/path", "is no origin such as https://sallyport.example"],
    ["SALLYPORT_PUBLIC_URL", "sallyport.example", "is no origin such as https://sallyport.example"],
    ["SALLYPORT_POSTGRES_PORT", "65536", "is no whole number from 0 to 65535"],
    ["SALLYPORT_POSTGRES_PORT", "5432; rm", "is no whole number from 0 to 65535"],
    ["SALLYPORT_POSTGRES_PORT", "1e3", "is no whole number from 0 to 65535"],
    ["SALLYPORT_LISTEN_HOST", "localhost", "is no address"],
    ["SALLYPORT_LOG_LEVEL", "loud", "is none of trace, debug, info, warn, error, fatal"],
    ["SALLYPORT_DRAIN_SECONDS", "81", "is no whole number from 0 to 80"],
    ["ECS_AGENT_URI", "agent", "is no URL"],
  ])("refuses %s=%s", (name, value, why) => {
    expect(faultOf({ ...GOOD, [name]: value })).toBe(`${name} ${why}.`);
  });

  it("never repeats a value, which may be a secret in the wrong place", () => {
    for (const name of Object.keys(GOOD)) expect(faultOf({ ...GOOD, [name]: "hunter2" })).not.toContain("hunter2");
  });

  it("takes an empty variable for one that is not set", () => {
    expect(taskSettings({ ...GOOD, SALLYPORT_DRAIN_SECONDS: "", ECS_AGENT_URI: "" }).ecsAgent).toBeUndefined();
    expect(faultOf({ ...GOOD, SALLYPORT_PUBLIC_URL: "" })).toBe("SALLYPORT_PUBLIC_URL is not set.");
  });

  it("leaves time to store what was recorded before ECS kills the task", () => {
    const { drainSeconds } = taskSettings(GOOD);
    expect(drainSeconds + CLOSE_WITHIN_SECONDS).toBeLessThan(STOP_WITHIN_SECONDS);
  });
});
