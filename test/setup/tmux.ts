import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { succeed } from "./programs.ts";

const PATIENCE_MS = 20_000;

/** A screen that tmux keeps: what a full-screen program has drawn, as a person would see it. */
export interface Screen {
  /** Types keys by tmux's names, such as `Enter`, `Escape`, `F10`, `C-c`; anything else is text. */
  press(...keys: string[]): Promise<void>;
  resize(columns: number, rows: number): Promise<void>;
  /** Its lines. */
  lines(): Promise<string[]>;
  /** Waits until it looks so; answers its lines. */
  shows(looks: (lines: string[]) => boolean): Promise<string[]>;
  close(): Promise<void>;
}

/** Runs a shell command on a screen of 80 columns and 24 rows, in a server of tmux's own. */
export async function tmuxScreen(command: string, env: NodeJS.ProcessEnv): Promise<Screen> {
  const server = ["-L", `sallyport-test-${randomBytes(6).toString("hex")}`, "-u", "-f", "/dev/null"];
  const tmux = (...args: string[]): Promise<string> =>
    succeed("tmux", [...server, ...args], { env: { ...env, LC_ALL: "C.UTF-8" } });
  await tmux("new-session", "-d", "-x", "80", "-y", "24", command);
  await tmux("set-option", "-g", "status", "off");
  await tmux("resize-window", "-x", "80", "-y", "24");
  const lines = async (): Promise<string[]> =>
    (await tmux("capture-pane", "-p")).split("\n").slice(0, -1).map((line) => line.trimEnd()); // prettier-ignore
  return {
    press: async (...keys) => void (await tmux("send-keys", ...keys)),
    resize: async (columns, rows) => void (await tmux("resize-window", "-x", String(columns), "-y", String(rows))),
    lines,
    async shows(looks) {
      let last: string[] = [];
      for (const until = Date.now() + PATIENCE_MS; Date.now() < until; await delay(50)) {
        last = await lines();
        if (looks(last)) return last;
      }
      throw new Error(`the screen does not show that, but:\n${last.join("\n")}`);
    },
    close: async () => void (await tmux("kill-server").catch(() => {})), // it ends with its last program
  };
}
