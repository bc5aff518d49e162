import { describe, expect, it } from "vitest";
import { versionOf } from "../../../core/config/bundle-files.ts";
import { checkBundle, parseBundle } from "../../../core/config/bundle.ts";
import { readBundleFolder } from "../../../local/bundle-folder.ts";
import { bundle } from "../../setup/bundles.ts";

describe("a configuration as a whole", () => {
  it("has a version that every name and every byte counts for, and no order does", () => {
    const files = bundle();
    expect(versionOf(new Map([...files].toReversed()))).toBe(versionOf(files));
    const others = [
      bundle({ "services.yaml": "" }),
      bundle({ "masking.yaml": "columns: [] \n" }),
      bundle({ "policies/a.cedar": undefined, "policies/b.cedar": files.get("policies/a.cedar") }),
    ];
    expect(new Set([files, ...others].map(versionOf)).size).toBe(4);
  });

  it("has typed parts", () => {
    const parts = parseBundle(bundle({ "services.yaml": "issuers: []" }), new Uint8Array(32));
    expect([...parts.connections.keys()]).toEqual(["shop"]);
    expect(parts.directory).toEqual([{ email: "bob@shop.example", name: "bob@shop.example", groups: ["dba"] }]);
    expect(parts.masking.forConnection("shop", "default").hasColumnRules).toBe(false);
    expect(parts.policies.version).toMatch(/^[0-9a-f]{64}$/);
    expect(parts).toMatchObject({
      services: { issuers: [], awsIdentities: [] },
      version: versionOf(bundle({ "services.yaml": "issuers: []" })),
    });
  });

  it("tells every fault of every part at once, each with its file", () => {
    const faulty = bundle({
      "connections.yaml": "connections: { shop: { protocol: ftp } }",
      "directory.yaml": "people: [{ email: nobody, groups: [] }]",
      "masking.yaml": "columns: [",
      "policies/a.cedar": "permit all;",
      "services.yaml": "a: [",
    });
    expect(() => checkBundle(faulty)).toThrow(
      expect.objectContaining({
        code: "configuration-invalid",
        message: expect.stringMatching(
          /connections\.yaml is not valid[\s\S]*directory\.yaml is not valid[\s\S]*masking\.yaml cannot be read[\s\S]*a\.cedar:1:8[\s\S]*services\.yaml cannot be read/,
        ),
      }),
    );
  });

  it.each(["connections.yaml", "directory.yaml", "masking.yaml", "policies/a.cedar"])(
    "takes nothing away by what is left out: %s",
    (name) => {
      expect(() => checkBundle(bundle({ [name]: undefined }))).toThrow(
        expect.objectContaining({ code: "configuration-invalid", hint: expect.stringContaining("there all the same") }),
      );
    },
  );

  it("may say nothing of people and masks, in files that are there", () => {
    const { directory, masking } = checkBundle(bundle({ "directory.yaml": "", "masking.yaml": "" }));
    expect(directory).toEqual([]);
    expect(masking.forConnection("shop", "default").hasDetectors).toBe(false);
  });

  it.each([
    "policies/../a.cedar",
    "policies/x/a.cedar",
    "policies/.cedar",
    "policies/a.txt",
    "/etc/passwd",
    "Masking.yaml",
    "",
  ])("has no file that would not count: %j", (name) => {
    expect(() => checkBundle(bundle({ [name]: "" }))).toThrow(/is no file of a configuration/);
  });

  it("has at most four megabytes and a thousand files", () => {
    const comment = (bytes: number): string => `#${"x".repeat(bytes)}`;
    expect(() => checkBundle(bundle({ "services.yaml": comment(4 << 20) }))).toThrow(
      expect.objectContaining({ code: "too-large" }),
    );
    const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`policies/${n}.cedar`, ""]));
    expect(() => checkBundle(bundle(many))).toThrow(expect.objectContaining({ code: "too-large" }));
  });

  it("is what the folder that is shipped holds", async () => {
    const files = await readBundleFolder("config");
    expect([...files.keys()]).toEqual(expect.arrayContaining(["connections.yaml", "policies/00-base.cedar"]));
    expect([...files.keys()]).not.toContain("policy-cases.yaml");
    expect(checkBundle(files).connections.size).toBeGreaterThan(0);
  });
});
