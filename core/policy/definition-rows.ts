import type { AlterTableCmd, CreateStmt, Node, RangeVar } from "@pgsql/types";
import { calls } from "./expression-rows.ts";
import { changed, query } from "./query-rows.ts";
import { as, dotted, strings } from "./tree.ts";
import { objectKind, settings } from "./utility-rows.ts";
import type { NodeTable, Walk } from "./walk.ts";

type Verb = "pg:create" | "pg:alter" | "pg:drop";

/** A statement about one kind of object whose fields need no row of their own. */
const about =
  (verb: Verb, kind: string) =>
  (walk: Walk, node: object): void => {
    walk.does(verb, kind);
    walk.fields(node, QUIET);
  };
/** As `about`, for what makes the server talk to another one. */
const outward =
  (verb: Verb, kind: string) =>
  (walk: Walk, node: object): void => {
    walk.does(verb, kind);
    walk.does("pg:dblink");
    walk.fields(node, QUIET);
  };
const within = (walk: Walk, node: object): void => walk.fields(node, QUIET);
/** Fields that rows of the statements take care of, and names that are no references. */
const QUIET = new Set(["relation", "setstmt", "authrole", "fk_attrs", "pk_attrs", "keys", "object", "objects", "base"]);

function table(walk: Walk, node: CreateStmt): void {
  walk.does("pg:create", "table");
  walk.writes(node.relation);
  for (const parent of node.inhRelations ?? []) reads(walk, parent);
  walk.fields(node, new Set(["relation", "inhRelations"]));
}

function reads(walk: Walk, node: Node): void {
  const relation = as(node, "RangeVar");
  if (relation !== undefined) walk.reads(relation);
}

/** Conditions and expressions about the rows of a table that is changed; rules and triggers call them `old` and `new`. */
function upon(walk: Walk, relation: RangeVar | undefined, inside: () => void): void {
  walk.nested(() => {
    if (relation !== undefined) changed(walk, relation, "old", "new");
    inside();
  });
}

/** Of file_fdw: a table may be a file, or what a program prints. */
function foreignOptions(walk: Walk, options: readonly Node[] | undefined): void {
  for (const option of options ?? []) {
    const name = as(option, "DefElem")?.defname;
    if (name === "program") walk.does("pg:copyProgram");
    if (name === "filename") walk.does("pg:copyFile");
  }
}

const RELATIONS = new Set(["table", "view", "matview", "foreign_table", "sequence", "index"]);
/** Kinds whose name is that of a relation and something of it. */
const PARTS = new Set(["column", "tabconstraint", "trigger", "rule", "policy"]);

/** What is dropped, renamed, moved or commented on, by its kind and name. */
function named(walk: Walk, kind: string, node: Node | undefined, changes = true): void {
  const name = strings(node === undefined ? [] : [node]);
  const owner = PARTS.has(kind) ? name.slice(0, -1) : RELATIONS.has(kind) ? name : [];
  if (owner.length > 0) {
    if (changes) walk.writesNamed(dotted(owner));
    else walk.tables.add(dotted(owner));
  }
  const routine = as(node, "ObjectWithArgs");
  if (routine !== undefined && kind !== "operator") walk.functions.add(dotted(strings(routine.objname)));
}

/** Switches of a table that decide what others may do to it are as telling as objects of their own. */
function alteration({ subtype = "AT_AddColumn" }: AlterTableCmd): string | undefined {
  if (subtype.endsWith("RowSecurity")) return "policy";
  if (/Trig(?:All|User)?$/.test(subtype)) return "trigger";
  if (subtype.endsWith("Rule")) return "rule";
  if (subtype === "AT_DropColumn") return "column";
  return undefined;
}

export const DEFINITION_ROWS: NodeTable = {
  CreateStmt: table,
  CreateForeignTableStmt: (walk, node) => {
    outward("pg:create", "foreign_table")(walk, node);
    if (node.base !== undefined) table(walk, node.base);
    foreignOptions(walk, node.options);
  },
  CreateTableAsStmt: (walk, node) => {
    const kind = objectKind(node.objtype);
    if (node.is_select_into === true) walk.does("pg:selectInto", kind);
    else walk.does("pg:create", kind);
    walk.writes(node.into?.rel);
    query(walk, node.query);
  },
  ViewStmt: (walk, node) => {
    walk.does("pg:create", "view");
    walk.writes(node.view);
    query(walk, node.query);
  },
  RuleStmt: (walk, node) => {
    walk.does("pg:create", "rule");
    upon(walk, node.relation, () => {
      walk.look(node.whereClause);
      walk.all(node.actions);
    });
  },
  IndexStmt: (walk, node) => {
    walk.does("pg:create", "index");
    upon(walk, node.relation, () => walk.fields(node, QUIET));
  },
  CreateTrigStmt: (walk, node) => {
    walk.does("pg:create", "trigger");
    calls(walk, dotted(strings(node.funcname)));
    upon(walk, node.relation, () => walk.look(node.whenClause));
  },
  CreateEventTrigStmt: (walk, node) => {
    walk.does("pg:create", "event_trigger");
    calls(walk, dotted(strings(node.funcname)));
  },
  AlterEventTrigStmt: about("pg:alter", "event_trigger"),
  CreatePolicyStmt: (walk, node) => {
    walk.does("pg:create", "policy");
    upon(walk, node.table, () => {
      walk.look(node.qual);
      walk.look(node.with_check);
    });
  },
  AlterPolicyStmt: (walk, node) => {
    walk.does("pg:alter", "policy");
    upon(walk, node.table, () => {
      walk.look(node.qual);
      walk.look(node.with_check);
    });
  },
  CreateSeqStmt: (walk, node) => {
    walk.does("pg:create", "sequence");
    walk.writes(node.sequence);
  },
  AlterSeqStmt: (walk, node) => {
    walk.does("pg:alter", "sequence");
    walk.writes(node.sequence);
  },
  CreateSchemaStmt: about("pg:create", "schema"),
  CreatedbStmt: about("pg:create", "database"),
  AlterDatabaseStmt: about("pg:alter", "database"),
  AlterDatabaseRefreshCollStmt: about("pg:alter", "database"),
  AlterDatabaseSetStmt: (walk, node) => {
    walk.does("pg:alter", "database");
    settings(walk, node.setstmt);
  },
  DropdbStmt: about("pg:drop", "database"),
  CreateTableSpaceStmt: about("pg:create", "tablespace"),
  DropTableSpaceStmt: about("pg:drop", "tablespace"),
  AlterTableSpaceOptionsStmt: about("pg:alter", "tablespace"),
  AlterTableMoveAllStmt: about("pg:alter", "table"),
  CreateExtensionStmt: (walk, node) => {
    walk.does("pg:create", "extension");
    walk.objects.add(`extension:${node.extname ?? ""}`);
  },
  AlterExtensionStmt: about("pg:alter", "extension"),
  AlterExtensionContentsStmt: about("pg:alter", "extension"),
  CreateForeignServerStmt: outward("pg:create", "foreign_server"),
  AlterForeignServerStmt: outward("pg:alter", "foreign_server"),
  CreateUserMappingStmt: outward("pg:create", "user_mapping"),
  AlterUserMappingStmt: outward("pg:alter", "user_mapping"),
  DropUserMappingStmt: about("pg:drop", "user_mapping"),
  ImportForeignSchemaStmt: (walk) => {
    walk.does("pg:create", "foreign_table");
    walk.does("pg:dblink");
  },
  CreateSubscriptionStmt: outward("pg:create", "subscription"),
  AlterSubscriptionStmt: outward("pg:alter", "subscription"),
  DropSubscriptionStmt: outward("pg:drop", "subscription"),
  CreatePublicationStmt: about("pg:create", "publication"),
  AlterPublicationStmt: about("pg:alter", "publication"),
  PublicationObjSpec: within,
  PublicationTable: (walk, node) => {
    if (node.relation !== undefined) walk.reads(node.relation);
    walk.look(node.whereClause);
  },
  AlterTableStmt: (walk, node) => {
    const kind = objectKind(node.objtype);
    walk.does("pg:alter", kind);
    if (kind === "foreign_table") walk.does("pg:dblink");
    upon(walk, node.relation, () => walk.all(node.cmds));
  },
  AlterTableCmd: (walk, node) => {
    const switched = alteration(node);
    if (switched !== undefined) walk.objects.add(switched);
    if (node.subtype === "AT_GenericOptions") foreignOptions(walk, as(node.def, "List")?.items);
    walk.visit(node.def);
  },
  PartitionCmd: (walk, node) => walk.writes(node.name),
  RenameStmt: (walk, node) => {
    const kind = objectKind(node.renameType);
    walk.does("pg:alter", kind);
    walk.writes(node.relation);
    named(walk, kind, node.object);
  },
  AlterObjectSchemaStmt: (walk, node) => {
    const kind = objectKind(node.objectType);
    walk.does("pg:alter", kind);
    walk.writes(node.relation);
    named(walk, kind, node.object);
  },
  AlterOwnerStmt: (walk, node) => {
    const kind = objectKind(node.objectType);
    walk.does("pg:alter", kind);
    walk.writes(node.relation);
    named(walk, kind, node.object);
  },
  AlterObjectDependsStmt: (walk, node) => {
    walk.does("pg:alter", objectKind(node.objectType));
    walk.writes(node.relation);
  },
  DropStmt: (walk, node) => {
    const kind = objectKind(node.removeType);
    walk.does("pg:drop", kind);
    for (const dropped of node.objects ?? []) named(walk, kind, dropped);
  },
  CommentStmt: (walk, node) => {
    const kind = objectKind(node.objtype);
    walk.does("pg:comment", kind);
    named(walk, kind, node.object);
  },
  SecLabelStmt: (walk, node) => {
    // What a label provider makes of labels is access, or masking.
    const kind = objectKind(node.objtype);
    walk.does("pg:alter", kind);
    walk.does("pg:grant");
    named(walk, kind, node.object);
  },
  CompositeTypeStmt: (walk, node) => {
    walk.does("pg:create", "type");
    walk.all(node.coldeflist);
  },
  CreateEnumStmt: about("pg:create", "type"),
  AlterEnumStmt: about("pg:alter", "type"),
  CreateDomainStmt: about("pg:create", "domain"),
  AlterDomainStmt: about("pg:alter", "domain"),
  CreateOpFamilyStmt: about("pg:create", "opfamily"),
  AlterOpFamilyStmt: about("pg:alter", "opfamily"),
  CreateStatsStmt: (walk, node) => {
    walk.does("pg:create", "statistic_ext");
    for (const relation of node.relations ?? []) reads(walk, relation);
    walk.all(node.exprs);
  },
  StatsElem: within,
  AlterStatsStmt: about("pg:alter", "statistic_ext"),
  AlterCollationStmt: about("pg:alter", "collation"),
  AlterTSDictionaryStmt: about("pg:alter", "tsdictionary"),
  AlterTSConfigurationStmt: about("pg:alter", "tsconfiguration"),
  ColumnDef: within,
  Constraint: (walk, node) => {
    if (node.pktable !== undefined) walk.reads(node.pktable);
    // A CHECK fails where a row does not satisfy it: that tells.
    if (node.contype === "CONSTR_CHECK") walk.look(node.raw_expr);
    else walk.visit(node.raw_expr);
    walk.look(node.where_clause);
    walk.all(node.exclusions);
  },
  TableLikeClause: (walk, node) => {
    if (node.relation !== undefined) walk.reads(node.relation);
  },
  PartitionSpec: within,
  PartitionElem: within,
  PartitionBoundSpec: within,
  PartitionRangeDatum: within,
  ReplicaIdentityStmt: within,
  ATAlterConstraint: within,
  DefElem: within,
};
