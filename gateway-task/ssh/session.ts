import type net from "node:net";
import { peerContext } from "../../core/policy/cedar-context.ts";
import type { SallyportError } from "../../core/errors.ts";
import type { Connections } from "../../core/config/connections.ts";
import type { CloseReason } from "../../core/ports/session-store.ts";
import type { LiveSession } from "../live-sessions.ts";
import { tellMasked } from "../mask-counts.ts";
import type { OpenSession, SessionDeps } from "../session.ts";
import { Gate } from "./gate.ts";
import type { TakeJump } from "./jump.ts";
import type { Leg } from "./leg.ts";
import { SessionMasks } from "./masking/session-masks.ts";
import { type Destination, Relay } from "./relay.ts";

/** Lets a session live whose target is logged in: its client is about to be told that it is in. */
export function openRelay(
  { login, recorder, pass, connection, target, masking }: OpenSession<"ssh", Leg<"target">>,
  client: Leg<"client">,
  deps: SessionDeps & { readonly jump: TakeJump },
): void {
  const { name, environment } = connection;
  const { principal: requester } = pass;
  const session = recorder.session;
  const asker = { session, requester, connection: name, environment, client: login.client };
  const who = { principal: requester, connection: { name, environment } };
  const gate = new Gate({ policies: deps.policies, who, clock: deps.clock });
  const ours = (to: { host: string; port: number }): Destination | undefined => destination(deps.connections(), to);
  const jump = (socket: net.Socket, connections: readonly string[]): string | undefined =>
    deps.jump(socket, { session, client: login.client, connections });
  const masks = masking && new SessionMasks(masking, (values) => relay.record({ type: "masked", values }));
  const guarded = connection.shell === "guarded" ? name : undefined;
  const live: LiveSession = {
    id: session,
    pass: pass.id,
    end: (reason, error) => relay.end(reason, error),
    cancel: () => false,
    record: (event) => relay.record(event),
  };
  const ended = (reason: CloseReason, error: SallyportError | undefined): void => {
    deps.live.remove(live);
    tellMasked(recorder, masks?.takeCounts(), deps.logger);
    deps.recorder.seal(recorder, reason, error?.message);
    const about = { client: login.client, session, reason, code: error?.code };
    deps.logger[error ? "warn" : "info"](about, "a session has ended");
  };
  const relay = new Relay(recorder, client, target, { ...deps, gate, asker, ours, jump, masks, guarded }, ended);
  deps.live.add(live);
  relay.start();
}

/**
 * What leads to a target that the gateway knows goes through the gateway, where it is judged and recorded for what it is. A client that
 * jumps there may call it by its connection's name, too, at the port that SSH has anywhere.
 */
function destination(connections: Connections, to: { host: string; port: number }): Destination | undefined {
  const { host } = peerContext(to);
  const leading = [...connections.values()].filter(({ name, protocol, target }) => {
    const isTarget = peerContext(target).host === host && target.port === to.port;
    return isTarget || (protocol === "ssh" && name === host && to.port === SSH_PORT);
  });
  const bySsh = leading.filter(({ protocol }) => protocol === "ssh").map(({ name }) => name);
  if (bySsh.length > 0) return { connections: bySsh };
  const [other] = leading;
  return (
    other && {
      refused: `this forward leads to ${other.name}: use the connection ${other.name} of the gateway, by psql`,
    }
  );
}

const SSH_PORT = 22;
