import { Command } from "commander";

export interface DemoFlags {
  readonly once?: boolean;
  readonly state: string;
  readonly port?: string;
  readonly sshPort?: string;
  readonly httpPort?: string;
  readonly oidcPort?: string;
}

export function demoCommand(): Command {
  return new Command("demo")
    .description("see it work: a shop's database and its server, people, recorded sessions; all on this machine")
    .option("--once", "end when all was seen, with status 0 only if every step did what it should")
    .option("--port <port>", "the gateway's, for psql (default: 6432, or a free one)")
    .option("--ssh-port <port>", "the gateway's, for ssh (default: 2222, or a free one)")
    .option("--http-port <port>", "of pages and API (default: 8080, or a free one)")
    .option("--oidc-port <port>", "of the embedded identity provider (default: 8081, or a free one)")
    .option(
      "--state <folder>",
      "for everything it makes; what an earlier demo left there is removed",
      ".sallyport/demo",
    )
    .action(async (flags: DemoFlags) => {
      const { runDemo } = await import("../demo.ts");
      process.exitCode = await runDemo(flags);
    });
}
