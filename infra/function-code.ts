import type { Code } from "aws-cdk-lib/aws-lambda";
import type { FunctionName } from "./bundling.ts";

/** Where a function's code comes from: bundled by `infra/app.ts`, something small in the tests of the stacks. */
export type FunctionCode = (name: FunctionName) => Code;
