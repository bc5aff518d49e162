import { Stack } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { ENVIRONMENT } from "../../aws/environment.ts";
import { type Program, allow } from "../program.ts";
import type { Settings } from "../settings.ts";

/** The address itself, in a sender such as `Sallyport <gate@shop.example>`. */
function addressOf(mailFrom: string): string {
  return /<([^<>]+)>\s*$/.exec(mailFrom)?.[1] ?? mailFrom;
}

/** May send mails from the configured address, and from no other, by whichever identity of SES vouches for it. */
export function grantMail(scope: Construct, program: Program, { mailFrom }: Settings): void {
  const { partition, region, account } = Stack.of(scope);
  const address = addressOf(mailFrom);
  const identities = [address, address.slice(address.indexOf("@") + 1)];
  // The mailer wants the address alone: the name beside it is its own.
  program.addEnvironment(ENVIRONMENT.mailFrom, address);
  allow(program, {
    actions: ["ses:SendEmail", "ses:SendRawEmail"],
    resources: identities.map((identity) => `arn:${partition}:ses:${region}:${account}:identity/${identity}`),
    only: { "ses:FromAddress": address },
  });
}
