import { hostname } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { Command } from "commander";
import { SallyportError } from "../../core/errors.ts";
import { DEVICE_GRANT } from "../../core/identity/device-sign-in.ts";
import { type Api, apiOf } from "../api-client.ts";
import { deviceView, hostKeyView, meView, tokenRefusalView, tokenView } from "../api-views.ts";
import { asks, type Context } from "../context.ts";
import { keepLogin } from "../logins.ts";
import { moment } from "../output.ts";

/** RFC 8628 §3.2 and §3.5: the default interval, and what `slow_down` adds to it. */
const DEFAULT_INTERVAL_SECONDS = 5;
const SLOW_DOWN_SECONDS = 5;
/** No server of ours asks for more; one that does shall not hold a terminal up for ever. */
const MAX_INTERVAL_SECONDS = 60;

export function loginCommand(): Command {
  const command = new Command("login").description("sign in, by a browser on any machine");
  return asks(command, signIn).addHelpText(
    "after",
    "\nWith --json two lines are printed: {verificationUri, verificationUriComplete, userCode, expiresIn} at once, and\n{server, id, name, groups, expiresAt, caFile} when it is done.",
  );
}

/** The device authorization grant (RFC 8628): shows a link and a code, and waits for a person to agree in a browser. */
async function signIn({ server, folder, out, anonymous }: Context): Promise<void> {
  const api = anonymous();
  const device = await api.json(
    { method: "POST", path: "/auth/device", body: { label: `sallyport on ${hostname().slice(0, 60)}` } },
    deviceView,
  );
  const { verification_uri, user_code, expires_in } = device;
  const complete = device.verification_uri_complete ?? verification_uri;
  if (out.json)
    out.value({
      verificationUri: verification_uri,
      verificationUriComplete: complete,
      userCode: user_code,
      expiresIn: expires_in,
    });
  out.note(`Open this link in a browser, sign in, and approve the code ${user_code}:\n\n  ${complete}\n`);
  const token = await awaitToken(api, device.device_code, device.interval ?? DEFAULT_INTERVAL_SECONDS, expires_in);
  const mine = apiOf(server, { bearer: token });
  const me = await mine.json({ path: "/api/me" }, meView);
  const caPem = await mine.text({ path: "/api/ca.pem" });
  const { sessionExpiresAt: expiresAt, id, name, groups } = me;
  const trusted = { caPem, hostKey: await hostKeyOf(mine) };
  const caFile = await keepLogin(folder, server, { token, expiresAt, name }, trusted);
  if (out.json) return out.value({ server, id, name, groups, expiresAt, caFile });
  out.line(`Signed in at ${server} as ${name} until ${moment(expiresAt)}.`);
}

/** Undefined where the gateway takes no SSH connections. */
async function hostKeyOf(api: Api): Promise<string | undefined> {
  try {
    return (await api.json({ path: "/api/ssh-host-key" }, hostKeyView)).publicKey;
  } catch (thrown) {
    if (thrown instanceof SallyportError && thrown.code === "not-found") return undefined;
    throw thrown;
  }
}

type Poll = { readonly token: string } | { readonly wait: number };

/** Polls as RFC 8628 §3.5 says. Throws `access-denied`, or `sign-in-failed` when nobody agreed in time. */
async function awaitToken(api: Api, code: string, interval: number, expiresIn: number): Promise<string> {
  const deadline = performance.now() + expiresIn * 1000;
  for (let seconds = interval; performance.now() < deadline;) {
    await delay(Math.min(seconds, MAX_INTERVAL_SECONDS) * 1000);
    const polled = await poll(api, code, seconds);
    if ("token" in polled) return polled.token;
    seconds = polled.wait;
  }
  throw tooLate();
}

async function poll(api: Api, device_code: string, seconds: number): Promise<Poll> {
  let answer: Response;
  try {
    answer = await api.raw({ method: "POST", path: "/auth/token", body: { grant_type: DEVICE_GRANT, device_code } });
  } catch (thrown) {
    // §3.5: on a connection timeout the client must poll less often.
    if (thrown instanceof SallyportError && thrown.code === "server-unreachable") return { wait: seconds * 2 };
    throw thrown;
  }
  const body: unknown = await answer.json().catch(() => undefined);
  const token = tokenView.safeParse(body);
  if (answer.ok && token.success) return { token: token.data.access_token };
  if (answer.status >= 500) return { wait: seconds * 2 };
  const refusal = tokenRefusalView.safeParse(body);
  return { wait: judge(refusal.data?.error ?? "", refusal.data?.error_description, seconds) };
}

/** How long to wait until the next poll. Throws for what ends the sign-in. */
function judge(error: string, description: string | undefined, seconds: number): number {
  switch (error) {
    case "authorization_pending":
      return seconds;
    case "slow_down":
      return seconds + SLOW_DOWN_SECONDS;
    case "access_denied":
      throw new SallyportError("access-denied", "the sign-in was denied in the browser");
    case "expired_token":
      throw tooLate();
    default:
      throw new SallyportError("sign-in-failed", description ?? "the sign-in failed", { hint: AGAIN });
  }
}

const AGAIN = "Run `sallyport login` again.";

function tooLate(): SallyportError {
  return new SallyportError("sign-in-failed", "nobody approved the code in time", { hint: AGAIN });
}
