import { readFileSync } from "node:fs";
import ssh2 from "ssh2";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { parseConnections } from "../../../core/config/connections.ts";

const TEXT = readFileSync(new URL("../../../config/connections.yaml", import.meta.url), "utf8");
/** The example that is commented out, put to use. */
const UNCOMMENTED = TEXT.replace(/^ {2}# (?=(?: {2})?web-1:$| {2,}\S)/gm, "  ");

describe("config/connections.yaml", () => {
  test("has one connection, to a database: without SSH connections the gateway takes none", () => {
    expect([...parseConnections(parse(TEXT)).values()].map(({ name, protocol }) => [name, protocol])).toEqual([
      ["shop", "postgres"],
    ]);
  });

  test("shows an SSH connection that is valid when it is put to use", () => {
    const web = parseConnections(parse(UNCOMMENTED)).get("web-1");
    expect(web).toMatchObject({ protocol: "ssh", credentials: { user: "deploy", key: { secret: "web-1-key" } } });
    const [key = ""] = web?.protocol === "ssh" ? web.target.hostKeys : [];
    expect(ssh2.utils.parseKey(key)).toMatchObject({ type: "ssh-ed25519" });
  });
});
