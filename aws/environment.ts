/**
 * The names of the environment variables by which the stacks tell tasks and functions what is theirs: `infra/` sets them,
 * `gateway-task/main.ts` and `functions/…/handler.ts` read them, and both take the names from here. Regions and credentials come as
 * the SDK finds them; tests point it at local engines by the SDK's own AWS_ENDPOINT_URL_<SERVICE>.
 */
export const ENVIRONMENT = {
  /** Tables of `aws/tables.ts`, by their names in the account. */
  sessionsTable: "SALLYPORT_SESSIONS_TABLE",
  passesTable: "SALLYPORT_PASSES_TABLE",
  approvalsTable: "SALLYPORT_APPROVALS_TABLE",
  signInsTable: "SALLYPORT_SIGN_INS_TABLE",
  peopleTable: "SALLYPORT_PEOPLE_TABLE",
  coordinationTable: "SALLYPORT_COORDINATION_TABLE",
  /** Chunks and manifests, under Object Lock. */
  recordingsBucket: "SALLYPORT_RECORDINGS_BUCKET",
  /** OCSF events, under Object Lock. */
  auditBucket: "SALLYPORT_AUDIT_BUCKET",
  /** Versions of the configuration. */
  configBucket: "SALLYPORT_CONFIG_BUCKET",
  /** Days for which a recording is locked. */
  retentionDays: "SALLYPORT_RETENTION_DAYS",
  /** ARN of the asymmetric KMS key (ECC_NIST_P256) that signs manifests. */
  signingKey: "SALLYPORT_SIGNING_KEY",
  /** ARNs of secrets: 32 bytes in base64url each, of session tokens and of masks that hash. */
  tokenKeySecret: "SALLYPORT_TOKEN_KEY_SECRET",
  maskingKeySecret: "SALLYPORT_MASKING_KEY_SECRET",
  /** How often the key of session tokens was replaced. Nobody reads it: where it changes, Lambda starts functions anew, with the new key. */
  tokenKeyGeneration: "SALLYPORT_TOKEN_KEY_GENERATION",
  /** ARN of a secret `{"cert": PEM, "key": PEM, "ca": PEM}`: what the gateway shows to its clients. */
  tlsSecret: "SALLYPORT_TLS_SECRET",
  /** ARN of a secret that is a private key in PEM: the same on every task. */
  sshHostKeySecret: "SALLYPORT_SSH_HOST_KEY_SECRET",
  /** Prefix in Secrets Manager of the targets' credentials: what a connection calls `shop`, the account calls prefix + `shop`. */
  targetSecretPrefix: "SALLYPORT_TARGET_SECRET_PREFIX",
  /** Identity providers as JSON (`core/config/identity.ts`); client secrets are ARNs in it. */
  identity: "SALLYPORT_IDENTITY",
  /** Origin of pages and API, such as `https://sallyport.example`. */
  publicUrl: "SALLYPORT_PUBLIC_URL",
  /**
   * ARN of a secret: a text that the distribution adds to each request as `x-sallyport-origin` (`functions/shared/viewer.ts`). Where it
   * is set, requests without it are refused, and the viewer's address is what the distribution says; where not, the API is reached by itself.
   */
  originSecret: "SALLYPORT_ORIGIN_SECRET",
  /** The host by which native clients reach the gateway. */
  gatewayHost: "SALLYPORT_GATEWAY_HOST",
  /** `type base64` of the gateway's SSH host key, which is public: people are told by it what they reach. */
  sshPublicHostKey: "SALLYPORT_SSH_PUBLIC_HOST_KEY",
  /** The address that mails come from. */
  mailFrom: "SALLYPORT_MAIL_FROM",
  /** Groups: who sees everything, and who may end others' access and publish configurations. */
  auditors: "SALLYPORT_AUDITORS",
  admins: "SALLYPORT_ADMINS",
  /** Folder of the spools, on a file system that outlives the task. */
  spool: "SALLYPORT_SPOOL",
  /** Seconds for which scheduled work watches whether a task renews its lease; 60 where it is not set. */
  abandonedAfterSeconds: "SALLYPORT_ABANDONED_AFTER_SECONDS",
  logLevel: "SALLYPORT_LOG_LEVEL",
  /** Where the gateway task listens: an address, 0.0.0.0 by default, and the ports of PostgreSQL, SSH and its health. */
  listenHost: "SALLYPORT_LISTEN_HOST",
  postgresPort: "SALLYPORT_POSTGRES_PORT",
  sshPort: "SALLYPORT_SSH_PORT",
  tlsPort: "SALLYPORT_TLS_PORT",
  healthPort: "SALLYPORT_HEALTH_PORT",
  /** Seconds for which live sessions go on once the task was told to stop. */
  drainSeconds: "SALLYPORT_DRAIN_SECONDS",
  /** Hours after which a task that was never without sessions may be stopped by a deploy. */
  protectionHours: "SALLYPORT_PROTECTION_HOURS",
  /** The ECS agent's own: where a task asks to be protected from being stopped. */
  ecsAgent: "ECS_AGENT_URI",
} as const;
