import { Command } from "commander";
import { SallyportError } from "../../core/errors.ts";
import { verificationView } from "../api-views.ts";
import { asks } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { exportCasts } from "../exported-casts.ts";
import { exportSession, verifyFiles } from "../exported-files.ts";
import type { Output } from "../output.ts";
import { readSigningKeys } from "../signing-keys.ts";
import { pathOf } from "./sessions.ts";

export function verifyCommand(): Command {
  const command = new Command("verify")
    .description("prove that a recording is whole: its hash chain and its signature")
    .argument("[session]", "its id, as `sallyport sessions` shows it; with --files, all that are there by default")
    .option("--files <folder>", "ask no server: verify the recordings in this folder")
    .option("--key <file>", "with --files: the public keys that recordings are signed with");
  return asks(command, async ({ out, api }, self) => {
    const { files, key } = self.opts<{ files?: string; key?: string }>();
    if (files !== undefined) return offline(out, files, key, self.args[0]);
    if (key !== undefined) throw new SallyportError("bad-request", "--key goes with --files");
    if (self.args[0] === undefined) throw new SallyportError("bad-request", "which session? Or give --files and --key");
    const found = await api().json({ path: `${pathOf(self)}/verify` }, verificationView);
    if (out.json) out.value(shownOf(found));
    else out.line(toldOf(found));
    return found.ok ? EXIT.ok : EXIT.failure;
  }).addHelpText(
    "after",
    `
Without a server, from what \`sallyport export\` wrote or from a copy of the state folder's recordings/:
  sallyport verify --files FOLDER --key signing-keys.json
Get the key from whom you trust, not from whom you verify. Files cannot tell that a whole recording is missing.`,
  );
}

/** Status 1 when any of them has a fault, or could not be verified. */
async function offline(
  out: Output,
  folder: string,
  key: string | undefined,
  only: string | undefined,
): Promise<number> {
  if (key === undefined)
    throw new SallyportError("bad-request", "--files needs --key: the public keys that the recordings are signed with");
  const keys = await readSigningKeys(key);
  const counts = { good: 0, all: 0 };
  const shown: unknown[] = [];
  for await (const { manifest: _, ...found } of verifyFiles(folder, only, keys)) {
    counts.all++;
    if (found.ok) counts.good++;
    if (out.json) shown.push(shownOf({ ...found, live: false }));
    else out.line(toldOf({ ...found, live: false }));
  }
  const ok = counts.good === counts.all;
  if (out.json) out.value({ ok, sessions: shown });
  else if (counts.all > 1) out.note(`${counts.good} of ${counts.all} recordings are whole.`);
  return ok ? EXIT.ok : EXIT.failure;
}

interface Found {
  readonly session: string;
  readonly live: boolean;
  readonly ok: boolean;
  readonly chunks: number;
  readonly frames: number;
  readonly head?: string | null | undefined;
  readonly fault?: { readonly kind: string; readonly chunk?: number | undefined; readonly message: string } | null | undefined; // prettier-ignore
}

function shownOf({ session, live, ok, chunks, frames, head, fault }: Found): unknown {
  return { session, live, ok, chunks, frames, head: head ?? null, fault: fault ?? null };
}

function toldOf({ session, live, ok, chunks, frames, head, fault }: Found): string {
  if (ok) return `${session} is whole: ${chunks} chunks, ${frames} frames, signed head ${head}`;
  if (live && fault?.kind === "manifest-missing")
    return `${session} is live: it is signed when it closes. Its chain holds so far.`;
  return `${session} CANNOT BE TRUSTED: ${fault?.message ?? "unknown fault"}. The chain holds for ${chunks} chunks.`;
}

export function exportCommand(): Command {
  const command = new Command("export")
    .description("copy a closed session's recording to files, to verify and keep elsewhere")
    .argument("<session>", "its id, as `sallyport sessions` shows it")
    .argument("<folder>", "where its folder goes")
    .option("--casts", "write each terminal of an SSH session beside it, as asciicast v3, for asciinema and its kind");
  return asks(command, async ({ out, api }, self) => {
    const [, folder = ""] = self.args;
    const exported = await exportSession(api(), pathOf(self), folder);
    const casts = self.opts<{ casts?: boolean }>().casts ? await exportCasts(folder, exported) : undefined;
    if (out.json) return out.value(casts === undefined ? exported : { ...exported, casts });
    out.line(`${exported.session}: ${exported.chunks} chunks and the manifest are in ${exported.folder}`);
    for (const cast of casts ?? []) out.line(`${exported.session}: a terminal is in ${cast}`);
    if (casts?.length === 0) out.note("It has no terminal.");
    out.note(`Verify it anywhere: sallyport verify --files ${exported.folder} --key ${exported.keys}`);
  });
}
