import { spawnSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";

/** As the CDK's command line runs it, with no settings but these. */
function app(environment: Record<string, string>): { readonly status: number | null; readonly stderr: string } {
  return spawnSync(process.execPath, ["infra/app.ts"], {
    env: { CDK_OUTDIR: mkdtempSync(path.join(tmpdir(), "sallyport-app-")), ...environment },
    encoding: "utf8",
  });
}

describe("the CDK app", () => {
  it("stops at a missing setting with a sentence that says which and how, and no stack of calls", () => {
    const { status, stderr } = app({});
    expect(status).toBe(1);
    expect(stderr).toContain("Sallyport: the setting admins is missing.");
    expect(stderr).toContain("-c admins=");
    expect(stderr).toContain("SALLYPORT_ADMINS");
    expect(stderr).not.toMatch(/^\s+at /m);
  });
});
