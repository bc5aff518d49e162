import type { BundleFiles } from "../../core/config/bundle-files.ts";

/** A valid configuration, with these files in it instead; undefined takes one out. */
export function bundle(over: Readonly<Record<string, string | undefined>> = {}): BundleFiles {
  const files: Record<string, string | undefined> = {
    "connections.yaml":
      "connections: { shop: { protocol: postgres, target: { host: h, database: d }, credentials: { user: u }, access: [] } }\n",
    "directory.yaml": "people: [{ email: bob@shop.example, groups: [dba] }]\n",
    "masking.yaml": "columns: []\n",
    "policies/a.cedar": '@id("a") permit (principal, action, resource);\n',
    ...over,
  };
  return new Map(Object.entries(files).flatMap(([name, text]) => (text === undefined ? [] : [[name, text]])));
}
