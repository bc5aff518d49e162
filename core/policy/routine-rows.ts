import type { CreateFunctionStmt, Node } from "@pgsql/types";
import { calls } from "./expression-rows.ts";
import { plpgsqlBlock } from "./plpgsql.ts";
import { as, dotted, strings } from "./tree.ts";
import { objectKind, settings } from "./utility-rows.ts";
import type { NodeTable, Walk } from "./walk.ts";

const TRUSTED_LANGUAGES = new Set(["sql", "plpgsql", "plperl", "pltcl", "plv8", "plcoffee", "plls"]);

/** The language of a body: whatever is not known to be confined to the database is `language:untrusted`, too. */
function spoken(walk: Walk, name: string): void {
  const language = name.toLowerCase();
  walk.objects.add(`language:${language}`);
  if (!TRUSTED_LANGUAGES.has(language)) walk.objects.add("language:untrusted");
}

function routine(walk: Walk, node: CreateFunctionStmt): void {
  walk.does("pg:createFunction", node.is_procedure === true ? "procedure" : "function");
  walk.functions.add(dotted(strings(node.funcname)));
  const options = (node.options ?? []).map((option) => as(option, "DefElem"));
  const option = (name: string): Node | undefined => options.find((o) => o?.defname === name)?.arg;
  const language = as(option("language"), "String")?.sval;
  const body = strings(as(option("as"), "List")?.items);
  spoken(walk, language ?? "sql");
  walk.all(node.parameters);
  walk.nested(() => walk.visit(node.sql_body));
  if (language?.toLowerCase() === "sql") for (const text of body) walk.text(text);
  for (const { defname, arg } of options.filter((o) => o !== undefined)) {
    if (defname === "set") settings(walk, as(arg, "VariableSetStmt"));
    if (defname === "support") calls(walk, dotted(strings(as(arg, "List")?.items)));
    if (defname === "security" && as(arg, "Boolean")?.boolval === true) walk.objects.add("security:definer");
  }
}

/** Parameters of types, operators and aggregates that name functions. */
function definition(walk: Walk, nodes: readonly Node[] | undefined): void {
  for (const node of nodes ?? []) {
    const item = as(node, "DefElem");
    const names = strings(as(item?.arg, "TypeName")?.names ?? as(item?.arg, "List")?.items);
    if (FUNCTION_OPTION.test(item?.defname ?? "") && names.length > 0) calls(walk, dotted(names));
  }
}
const FUNCTION_OPTION =
  /func|proc|^(?:input|output|receive|send|typmod_in|typmod_out|analyze|subscript|subtype_diff|canonical|restrict|join|start|gettoken|end|lextypes|headline|init|lexize|handler|validator)/;

/** Code, and what makes the server call it: functions, languages, operators, casts, types. */
export const ROUTINE_ROWS: NodeTable = {
  DoStmt: (walk, node) => {
    walk.does("pg:do");
    const language = (node.args ?? []).map((arg) => as(arg, "DefElem")).find((arg) => arg?.defname === "language");
    const name = strings(language?.arg && [language.arg])[0] ?? "plpgsql";
    spoken(walk, name);
    const body = (node.args ?? []).map((arg) => as(arg, "DefElem")).find((arg) => arg?.defname === "as");
    if (name.toLowerCase() === "plpgsql") plpgsqlBlock(walk, strings(body?.arg && [body.arg])[0] ?? "");
  },
  CreatePLangStmt: (walk, node) => {
    walk.does("pg:create", "language");
    spoken(walk, node.plname ?? "");
    for (const part of [node.plhandler, node.plinline, node.plvalidator])
      if (part !== undefined) calls(walk, dotted(strings(part)));
  },
  CreateFdwStmt: (walk, node) => {
    walk.does("pg:create", "fdw");
    walk.does("pg:dblink");
    definition(walk, node.func_options);
  },
  AlterFdwStmt: (walk, node) => {
    walk.does("pg:alter", "fdw");
    walk.does("pg:dblink");
    definition(walk, node.func_options);
  },
  CreateFunctionStmt: routine,
  ReturnStmt: (walk, node) => walk.fields(node),
  FunctionParameter: (walk, node) => walk.fields(node),
  AlterFunctionStmt: (walk, node) => {
    walk.does("pg:alter", objectKind(node.objtype));
    walk.functions.add(dotted(strings(node.func?.objname)));
    for (const action of node.actions ?? []) {
      const { defname, arg } = as(action, "DefElem") ?? {};
      if (defname === "set") settings(walk, as(arg, "VariableSetStmt"));
      if (defname === "security" && as(arg, "Boolean")?.boolval === true) walk.objects.add("security:definer");
    }
  },
  DefineStmt: (walk, node) => {
    walk.does("pg:create", objectKind(node.kind));
    definition(walk, node.definition);
  },
  AlterOperatorStmt: (walk, node) => {
    walk.does("pg:alter", "operator");
    definition(walk, node.options);
  },
  AlterTypeStmt: (walk, node) => {
    walk.does("pg:alter", "type");
    definition(walk, node.options);
  },
  CreateRangeStmt: (walk, node) => {
    walk.does("pg:create", "type");
    definition(walk, node.params);
  },
  CreateCastStmt: (walk, node) => {
    walk.does("pg:create", "cast");
    if (node.func !== undefined) calls(walk, dotted(strings(node.func.objname)));
  },
  CreateTransformStmt: (walk, node) => {
    walk.does("pg:create", "transform");
    for (const func of [node.fromsql, node.tosql]) if (func !== undefined) calls(walk, dotted(strings(func.objname)));
  },
  CreateConversionStmt: (walk, node) => {
    walk.does("pg:create", "conversion");
    calls(walk, dotted(strings(node.func_name)));
  },
  CreateAmStmt: (walk, node) => {
    walk.does("pg:create", "access_method");
    calls(walk, dotted(strings(node.handler_name)));
  },
  CreateOpClassStmt: (walk, node) => {
    walk.does("pg:create", "opclass");
    walk.all(node.items);
  },
  CreateOpClassItem: (walk, node) => {
    // itemtype 2 is FUNCTION (OPCLASS_ITEM_FUNCTION).
    if (node.itemtype === 2) calls(walk, dotted(strings(node.name?.objname)));
  },
};
