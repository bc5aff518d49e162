import { describe, expect, it } from "vitest";
import { type Channel, Channels } from "../../../gateway-task/ssh/channels.ts";
import { MESSAGE, message } from "../../../gateway-task/ssh/messages.ts";

/** The confirmation of a channel, by the number that its side has for it. */
const confirmation = (number: number): Buffer => message(MESSAGE.channelOpenConfirmation, 0, number, 1_024, 1_024);

/** A channel that a client opened by its number, and its target confirmed by its own. */
function opened(channels: Channels, client: number, target: number): Channel {
  const channel = channels.open("client", client, "session");
  if (channel === undefined) throw new Error("it cannot be opened");
  channels.confirmed(channel, confirmation(target));
  return channel;
}

describe("a session's channels", () => {
  it("are known to the client by numbers that are never used again, whatever the target uses", () => {
    const channels = new Channels();
    const first = opened(channels, 0, 5);
    channels.closed(first, "target");
    const second = opened(channels, 1, 5); // the target is done with the first, the client is not
    expect(second.shown).not.toBe(first.shown);
    expect(channels.named("target", first.shown)).toBe(first);
    expect(channels.named("target", second.shown)).toBe(second);
    channels.closed(first, "client");
    expect(channels.named("target", first.shown)).toBeUndefined();
    expect(channels.named("target", second.shown)).toBe(second);
  });

  it("cannot be opened by a number that the client still uses", () => {
    const channels = new Channels();
    const first = opened(channels, 3, 0);
    expect(channels.open("client", 3, "session")).toBeUndefined();
    channels.closed(first, "client");
    expect(channels.open("client", 3, "session")).toBeUndefined();
    channels.closed(first, "target");
    expect(channels.open("client", 3, "session")).toBeDefined();
  });

  it("that the target opens are known by a number of ours until the client has confirmed them by its own", () => {
    const channels = new Channels();
    const channel = channels.open("target", 9, "forwarded-tcpip");
    expect(channel && channels.named("target", channel.shown)).toBe(channel);
    expect(channel && channels.named("client", channel.shown)).toBeUndefined();
    if (channel !== undefined) channels.confirmed(channel, confirmation(4));
    expect(channel && channels.named("client", channel.shown)).toBe(channel);
  });

  it("are not found before the other side has confirmed them, so that nothing can be said in them", () => {
    const channels = new Channels();
    const channel = channels.open("client", 0, "session");
    expect(channel && channels.named("target", channel.shown)).toBeUndefined();
  });

  it("that were refused may have their number used again by the client, though the target is not done with them", () => {
    const channels = new Channels();
    const first = opened(channels, 0, 0);
    first.refused = first.silenced = true;
    channels.closed(first, "client");
    const second = channels.open("client", 0, "session");
    expect(second?.shown).not.toBe(first.shown);
    expect(channels.named("client", first.shown)).toBe(first); // the target's close is still to come
    channels.closed(first, "target");
    expect(channels.named("client", first.shown)).toBeUndefined();
  });

  it("are bounded", () => {
    const channels = new Channels();
    let count = 0;
    while (channels.open("client", count, "session") !== undefined) count++;
    expect(count).toBe(1_024);
  });
});
