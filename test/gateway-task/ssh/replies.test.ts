import { describe, expect, it } from "vitest";
import { answerOf, Replies } from "../../../gateway-task/ssh/replies.ts";

describe("answers to requests", () => {
  it("of ours wait for those that the other side owes, and then come at once and in order", () => {
    const [replies, said] = [new Replies(), [] as string[]];
    replies.passedOn();
    replies.ours(() => said.push("ours 1"));
    replies.ours(() => said.push("ours 2"));
    replies.passedOn();
    replies.ours(() => said.push("ours 3"));
    expect(said).toEqual([]);
    answerOf("target", replies, () => said.push("theirs 1"));
    expect(said).toEqual(["theirs 1", "ours 1", "ours 2"]);
    answerOf("target", replies, () => said.push("theirs 2"));
    expect(said).toEqual(["theirs 1", "ours 1", "ours 2", "theirs 2", "ours 3"]);
  });

  it("of ours come at once where nothing is owed", () => {
    const said: string[] = [];
    new Replies().ours(() => said.push("ours"));
    expect(said).toEqual(["ours"]);
  });

  it("that nobody owes end the session", () => {
    expect(() => answerOf("target", new Replies(), () => {})).toThrow(/the target answered what nobody asked/);
  });

  it("of ours come when the other side will answer nothing more", () => {
    const [replies, said] = [new Replies(), [] as string[]];
    replies.passedOn();
    replies.ours(() => said.push("ours"));
    replies.abandon();
    expect(said).toEqual(["ours"]);
  });
});

it("that are owed are bounded, whoever owes them", () => {
  const replies = new Replies();
  for (let n = 0; n < 4_096; n++) replies.passedOn();
  const more = "too many requests wait for their answers";
  expect(() => replies.passedOn()).toThrow(more);
  expect(() => replies.ours(() => {})).toThrow(more);
});
