import { beforeEach, expect, test } from "vitest";
import { addresseesOf } from "../../../core/approval/addressees.ts";
import { parseDirectory } from "../../../core/config/directory.ts";
import type { Principal, PrincipalId } from "../../../core/identity/principal.ts";
import type { PeopleStore } from "../../../core/ports/people-store.ts";
import { openDatabase } from "../../../local/database.ts";
import { sqlitePeopleStore } from "../../../local/people-store.ts";
import { ALICE, BOB, held, NOW } from "../../setup/approvals.ts";

const DAY = 24 * 60 * 60 * 1000;
const directory = (...people: { email: string; groups: string[] }[]) => parseDirectory({ people });

let people: PeopleStore;
beforeEach(() => void (people = sqlitePeopleStore(openDatabase(":memory:"))));
const signIn = (name: string, groups: string[], seenAt = NOW, email: string | undefined = `${name}@shop.example`) =>
  people.signedIn({
    id: `https://idp.example|${name}` as PrincipalId,
    name: email ?? name,
    email,
    groups,
    seenAt,
    freshUntil: seenAt,
  });
const asked = async (listed = directory(), over: { groups?: string[]; requester?: Principal } = {}) => {
  const consents = (over.groups ?? ["approvers"]).map((group) => ({ group, count: 1 }));
  const found = await addresseesOf(people, listed, held({ consents, requester: over.requester ?? ALICE }), NOW);
  return found.map(({ email }) => email).toSorted();
};

test("a group works by the directory before anybody has signed in, and by sign-ins without a directory", async () => {
  expect(await asked(directory({ email: "bob@shop.example", groups: ["approvers"] }))).toEqual(["bob@shop.example"]);
  await signIn("erin", ["approvers"]);
  expect(await asked()).toEqual(["erin@shop.example"]);
});

test("what a sign-in says outranks the directory", async () => {
  const listed = directory(
    { email: "Bob@Shop.example", groups: ["approvers"] },
    { email: "erin@shop.example", groups: [] },
  );
  await signIn("bob", ["engineers"]);
  await signIn("erin", ["approvers"]);
  expect(await asked(listed)).toEqual(["erin@shop.example"]);
});

test("the requester is not asked, by whatever identity", async () => {
  await signIn("alice", ["approvers"]);
  await signIn("alice2", ["approvers"], NOW, "ALICE@shop.example");
  expect(await asked(directory({ email: "aLICE@shop.example", groups: ["approvers"] }))).toEqual([]);
  expect(await asked(directory({ email: "alice@else.example", groups: ["approvers"] }))).toEqual([
    "alice@else.example",
  ]);
});

test("whoever acts for the requester is not asked either", async () => {
  await signIn("bob", ["approvers"]);
  await signIn("erin", ["approvers"]);
  expect(await asked(directory(), { requester: { ...ALICE, actors: [BOB.id] } })).toEqual(["erin@shop.example"]);
});

test("one mail for somebody in two groups or under two accounts; none without an address that mail can go to", async () => {
  await signIn("bob", ["approvers", "dba"]);
  await signIn("bob-admin", ["dba"], NOW, "BOB@shop.example");
  await people.signedIn({
    id: "x|c" as PrincipalId,
    name: "carl",
    email: undefined,
    groups: ["dba"],
    seenAt: NOW,
    freshUntil: NOW,
  });
  for (const [n, email] of ["a b@x", "a@x, b@y", "<a@x>", "a@x\r\nBcc: b@y", '"a b"@x', "nobody", ""].entries())
    await people.signedIn({
      id: `x|${n}` as PrincipalId,
      name: "eve",
      email,
      groups: ["dba"],
      seenAt: NOW,
      freshUntil: NOW,
    });
  expect((await asked(directory(), { groups: ["approvers", "dba"] })).map((email) => email.toLowerCase())).toEqual([
    "bob@shop.example",
  ]);
});

test("whoever has not signed in for long may have left", async () => {
  await signIn("bob", ["approvers"], NOW - 91 * DAY);
  await signIn("erin", ["approvers"], NOW - 89 * DAY);
  expect(await asked()).toEqual(["erin@shop.example"]);
  expect(await asked(directory({ email: "bob@shop.example", groups: ["approvers"] }))).toEqual(["erin@shop.example"]);
});

test("a mail goes to a hundred people at most", async () => {
  for (let n = 0; n < 150; n++) await signIn(`p${n}`, ["approvers"]);
  expect(await asked(directory({ email: "bob@shop.example", groups: ["approvers"] }))).toHaveLength(100);
});

test.each([
  [{ people: [{ email: "no address", groups: [] }] }, "people[0].email"],
  [{ people: [{ email: "a@x.example", groups: "approvers" }] }, "people[0].groups"],
  [{ people: [{ email: "a@x.example", groups: [], admin: true }] }, "admin"],
  [{ persons: [] }, "persons"],
  [null, "directory.yaml"],
])("a directory that is not valid is told with its place: %j", (document, place) => {
  expect(() => parseDirectory(document)).toThrow(place);
});
