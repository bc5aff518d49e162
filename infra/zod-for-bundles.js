// zod as our bundles have it: all that `z` is, but for its fifty languages and what reads or compiles schemas, which nothing of ours asks for. esbuild
// keeps every member of a namespace that is exported as a value, as zod exports `z`: 190 KB of texts that nobody is told.
// `infra/bundling.ts` puts this in zod's place; a test holds that everything that our code calls is here.
export * from "../node_modules/zod/v4/classic/schemas.js";
export * from "../node_modules/zod/v4/classic/checks.js";
export * from "../node_modules/zod/v4/classic/errors.js";
export * from "../node_modules/zod/v4/classic/parse.js";
export * from "../node_modules/zod/v4/classic/compat.js";
export { config, NEVER, prettifyError, registry, globalRegistry } from "../node_modules/zod/v4/core/index.js";
export * as iso from "../node_modules/zod/v4/classic/iso.js";
export * as coerce from "../node_modules/zod/v4/classic/coerce.js";
// oxlint-disable-next-line import/no-self-import -- as zod itself has it: the namespace is one of its own names
export * as z from "./zod-for-bundles.js";
