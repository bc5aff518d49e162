import { z } from "zod";
import { SallyportError } from "../core/errors.ts";
import { ENVIRONMENT } from "./environment.ts";

export type Environment = Readonly<Record<string, string | undefined>>;
type Name = keyof typeof ENVIRONMENT;
type Shape = Readonly<Partial<Record<Name, z.ZodType>>>;
type Told<S extends Shape> = { readonly [K in keyof S]: S[K] extends z.ZodType ? z.output<S[K]> : never };

/**
 * What the stacks told a program, by the names of `aws/environment.ts`; an empty variable is one that is not set.
 * Throws `configuration-invalid` with a sentence for each that is missing or cannot be.
 */
export function told<S extends Shape>(environment: Environment, shape: S): Told<S> {
  const values: Record<string, unknown> = {};
  const faults: string[] = [];
  for (const [name, schema] of Object.entries(shape)) {
    const variable = ENVIRONMENT[name as Name];
    const given = environment[variable] || undefined;
    const parsed = schema.safeParse(given);
    if (parsed.success) values[name] = parsed.data;
    else faults.push(given === undefined ? `${variable} is not set.` : `${variable} ${faultOf(parsed.error)}.`);
  }
  if (faults.length === 0) return values as Told<S>;
  throw new SallyportError("configuration-invalid", faults.join(" "), {
    hint: "The stacks set these variables: was this deployed by `npx cdk deploy --all`?",
  });
}

/** Never the value: it may be a secret that stands in the wrong place. */
function faultOf({ issues }: z.ZodError): string {
  return issues[0]?.message ?? "cannot be";
}

export const text = z.string("is no text");
export const arnOf = (service: string): z.ZodString =>
  text.regex(new RegExp(`^arn:aws[a-z-]*:${service}:`), `is no ARN of ${service}`);
export const whole = (least: number, most: number, otherwise: number) => {
  const fault = `is no whole number from ${least} to ${most}`;
  const number = z
    .string()
    .regex(/^\d{1,9}$/, fault)
    .transform(Number);
  return number.pipe(z.number().min(least, fault).max(most, fault)).default(otherwise);
};
export const origin = text.refine(
  (url) => URL.canParse(url) && new URL(url).origin === url,
  "is no origin such as https://sallyport.example",
);
