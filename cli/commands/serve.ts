import { Command, Option } from "commander";

/** What the command line or the environment says. */
export interface ServeFlags {
  readonly state: string;
  readonly config: string;
  readonly listen: string;
  readonly sshListen?: string;
  readonly retentionDays?: string;
  readonly http: string;
  readonly publicUrl?: string;
  readonly advertise?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
  readonly identity?: string;
  readonly oidcIssuer?: string;
  readonly oidcClientId?: string;
  readonly oidcClientSecretFile?: string;
  readonly oidcScopes: string;
  readonly oidcGroupsClaim: string;
  readonly oidcListen: string;
  readonly smtpUrl?: string;
  readonly smtpPasswordFile?: string;
  readonly mailFrom?: string;
  readonly logLevel: string;
  readonly json?: boolean;
}

/** Never an option: arguments can be seen by everybody on the machine. */
export const SECRET_VARIABLE = "SALLYPORT_OIDC_CLIENT_SECRET";
export const SMTP_SECRET_VARIABLE = "SALLYPORT_SMTP_PASSWORD";
const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"];

export function serveCommand(): Command {
  const command = new Command("serve")
    .description("run the whole product on this machine: gateway, pages and API")
    .addOption(option("--state <folder>", "what is kept: recordings, keys, secrets", "STATE", ".sallyport"))
    .addOption(option("--config <folder>", "connections.yaml, policies, directory.yaml", "CONFIG", "config"))
    .addOption(option("--listen <address>", "the gateway, for PostgreSQL clients", "LISTEN", "127.0.0.1:6432"))
    .addOption(
      option(
        "--ssh-listen <address>",
        "the gateway, for SSH clients (default: port 2222 beside --listen, where a connection is of SSH)",
        "SSH_LISTEN",
      ),
    )
    .addOption(option("--http <address>", "pages and API", "HTTP", "127.0.0.1:8080"))
    .addOption(option("--public-url <url>", "where browsers reach the pages, if not at --http", "PUBLIC_URL"))
    .addOption(option("--advertise <host>", "what clients call the gateway's host", "ADVERTISE"))
    .addOption(
      option("--tls-cert <file>", "the gateway's certificate chain (default: one of its own making)", "TLS_CERT"),
    )
    .addOption(option("--tls-key <file>", "its private key, mode 0600", "TLS_KEY"))
    .addOption(option("--tls-ca <file>", "the authority that clients shall trust for it", "TLS_CA"))
    .addOption(option("--identity <file>", "your identity providers, OIDC and SAML: docs/identity.md", "IDENTITY"))
    .addOption(
      option("--oidc-issuer <url>", "your identity provider (default: an embedded one, on loopback)", "OIDC_ISSUER"),
    )
    .addOption(option("--oidc-client-id <id>", "as it is registered there", "OIDC_CLIENT_ID"))
    .addOption(
      option("--oidc-client-secret-file <file>", `mode 0600, or in ${SECRET_VARIABLE}`, "OIDC_CLIENT_SECRET_FILE"),
    )
    .addOption(option("--oidc-scopes <scopes>", "to ask for", "OIDC_SCOPES", "openid email profile"))
    .addOption(option("--oidc-groups-claim <claim>", "that lists a person's groups", "OIDC_GROUPS_CLAIM", "groups"))
    .addOption(option("--oidc-listen <address>", "the embedded identity provider", "OIDC_LISTEN", "127.0.0.1:8081"))
    .addOption(
      option(
        "--smtp-url <url>",
        "mail server, such as smtp://user@host:587 (default: mails are kept here)",
        "SMTP_URL",
      ),
    )
    .addOption(option("--smtp-password-file <file>", `mode 0600, or in ${SMTP_SECRET_VARIABLE}`, "SMTP_PASSWORD_FILE"))
    .addOption(option("--mail-from <address>", "that mails come from", "MAIL_FROM"))
    .addOption(option("--retention-days <days>", "how long recordings are kept (default: for good)", "RETENTION_DAYS"))
    .addOption(option("--log-level <level>", "how much to log", "LOG_LEVEL", "info").choices(LEVELS))
    .option("--json", "log JSON to a terminal, too")
    .addHelpText("after", "\nEvery option can be set in the environment as well, as shown.");
  return command.action(async (flags: ServeFlags) => {
    // Not before it is needed: it is the whole product.
    const { runServe } = await import("../run-serve.ts");
    await runServe(flags);
  });
}

function option(flags: string, description: string, variable: string, fallback?: string): Option {
  const made = new Option(flags, description).env(`SALLYPORT_${variable}`);
  return fallback === undefined ? made : made.default(fallback);
}
