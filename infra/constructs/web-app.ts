import { ENVIRONMENT } from "../../aws/environment.ts";
import type { Identity } from "../identity.ts";
import { type Program, allow } from "../program.ts";
import type { Settings } from "../settings.ts";

export interface WebAppProps {
  readonly settings: Settings;
  readonly publicUrl: string;
}

/** What every app that people meet is told: where it is, and who is who. */
export function tellApp(program: Program, { settings, publicUrl }: WebAppProps): void {
  program.addEnvironment(ENVIRONMENT.publicUrl, publicUrl);
  program.addEnvironment(ENVIRONMENT.auditors, settings.auditors.join(","));
  program.addEnvironment(ENVIRONMENT.admins, settings.admins.join(","));
}

/** The identity providers, and the secrets that they are named with. */
export function grantIdentity(program: Program, { json, secretArns }: Identity): void {
  program.addEnvironment(ENVIRONMENT.identity, json);
  if (secretArns.length > 0) allow(program, { actions: ["secretsmanager:GetSecretValue"], resources: secretArns });
}
