import type { ColumnDescription } from "../../core/recording/events.ts";
import type { BoundArguments } from "./parameters.ts";

/** Prepared statements of one session that are remembered, and the bytes of their texts and columns; the oldest go first. */
const MAX_STATEMENTS = 10_000;
const MAX_STATEMENT_BYTES = 32 << 20;
/** Named portals of one transaction that are remembered, and the bytes bound to them; the oldest go first. */
const MAX_PORTALS = 1_000;
const MAX_PORTAL_BYTES = 8 << 20;
/** Names that may be supposed at a time: more would be an attempt to fill the memory. */
const MAX_SUPPOSED = 10_000;
/** What a statement takes beside its text, and each of its columns: roughly. */
const STATEMENT_BYTES = 256;
const COLUMN_BYTES = 128;
const TYPE_BYTES = 8;
/** What a portal takes beside what is bound to it. */
const PORTAL_BYTES = 256;

/** A text that was asked, as far as it is kept. */
export interface AskedText {
  readonly text: string;
  /** Bytes on the wire, where `text` was cut; else undefined. */
  readonly bytes: number | undefined;
  readonly redacted: boolean;
  /** It never reached the target. */
  readonly withheld?: boolean;
  /** What stands for it in every event of it but the first; undefined before that one. */
  again?: AskedText;
}

/** A prepared statement: what a Parse made, or nothing more than a name where its Parse is no longer known. */
export interface PreparedStatement {
  readonly name: string;
  readonly asked: AskedText;
  /** OIDs of its parameters: as Parse named them, then as the server found them. */
  types: readonly number[];
  /** What RowDescription said of it. */
  described: RowShape | undefined;
  /** An event has told its columns. */
  told?: boolean;
}

/** A decoded RowDescription, and its bytes, by which a repeated one is recognised. */
export interface RowShape {
  readonly columns: ColumnDescription[];
  readonly body: Buffer;
}

export interface Portal {
  readonly name: string;
  readonly statement: PreparedStatement;
  readonly bound: BoundArguments | undefined;
  /** Its Bind never reached the target. */
  readonly withheld: boolean;
  /** Where the last RowDescription of this portal stands in the output, until its rows follow: [from, to). */
  describedFrom: number;
  describedTo: number;
}

const NO_TEXT: AskedText = { text: "", bytes: undefined, redacted: false };

/** A statement whose Parse was not seen, or is forgotten: its text is empty. */
export function unknownStatement(name: string): PreparedStatement {
  return { name, asked: NO_TEXT, types: [], described: undefined };
}

/** `statement` is undefined where it is not known: a portal that SQL made (DECLARE CURSOR). */
export function newPortal(
  name: string,
  statement: PreparedStatement | undefined,
  bound: BoundArguments | undefined,
  withheld = false,
): Portal {
  return { name, statement: statement ?? unknownStatement(""), bound, withheld, describedFrom: -1, describedTo: -1 };
}

/** What the names of a session stand for, as far as the server has confirmed it. */
export interface Names {
  statement(name: string): PreparedStatement | undefined;
  portal(name: string): Portal | undefined;
  parse(statement: PreparedStatement): void;
  bind(portal: Portal): void;
}

export class ConfirmedNames implements Names {
  readonly #statements = new Map<string, PreparedStatement>();
  readonly #portals = new Map<string, Portal>();
  #unnamedStatement: PreparedStatement | undefined;
  #unnamedPortal: Portal | undefined;
  #statementBytes = 0;
  #portalBytes = 0;

  /** Bytes of memory that the names hold on to, roughly; the unnamed ones, of which there is one each, left out. */
  get held(): number {
    return this.#statementBytes + this.#portalBytes;
  }

  clear(): void {
    this.#statements.clear();
    this.#statementBytes = 0;
    this.#unnamedStatement = undefined;
    this.endTransaction();
  }

  statement(name: string): PreparedStatement | undefined {
    return name === "" ? this.#unnamedStatement : this.#statements.get(name);
  }

  portal(name: string): Portal | undefined {
    return name === "" ? this.#unnamedPortal : this.#portals.get(name);
  }

  parse(statement: PreparedStatement): void {
    if (statement.name === "") {
      this.#unnamedStatement = statement;
      return;
    }
    this.closeStatement(statement.name);
    this.#statements.set(statement.name, statement);
    this.#statementBytes += bytesOf(statement);
    this.#forgetStatements();
  }

  describe(statement: PreparedStatement, shape: RowShape | undefined): void {
    if (statement.described !== shape) this.#change(statement, () => (statement.described = shape));
  }

  /** The server says of which types its parameters are. */
  typed(statement: PreparedStatement, types: readonly number[]): void {
    this.#change(statement, () => (statement.types = types));
  }

  #change(statement: PreparedStatement, change: () => void): void {
    const kept = statement.name !== "" && this.#statements.get(statement.name) === statement;
    if (kept) this.#statementBytes -= bytesOf(statement);
    change();
    if (!kept) return;
    this.#statementBytes += bytesOf(statement);
    this.#forgetStatements();
  }

  bind(portal: Portal): void {
    if (portal.name === "") {
      this.#unnamedPortal = portal;
      return;
    }
    this.closePortal(portal.name);
    this.#portals.set(portal.name, portal);
    this.#portalBytes += boundBytes(portal);
    for (const [name] of this.#portals) {
      if (this.#portals.size <= MAX_PORTALS && this.#portalBytes <= MAX_PORTAL_BYTES) break;
      this.closePortal(name);
    }
  }

  closeStatement(name: string): void {
    const statement = this.#statements.get(name);
    if (name === "") this.#unnamedStatement = undefined;
    if (statement === undefined) return;
    this.#statementBytes -= bytesOf(statement);
    this.#statements.delete(name);
  }

  closePortal(name: string): void {
    const portal = this.#portals.get(name);
    if (name === "") this.#unnamedPortal = undefined;
    if (portal === undefined) return;
    this.#portalBytes -= boundBytes(portal);
    this.#portals.delete(name);
  }

  /** Portals end with their transaction (§54.2.3). */
  endTransaction(): void {
    this.#unnamedPortal = undefined;
    if (this.#portals.size > 0) this.#portals.clear();
    this.#portalBytes = 0;
  }

  #forgetStatements(): void {
    for (const [name] of this.#statements) {
      if (this.#statements.size <= MAX_STATEMENTS && this.#statementBytes <= MAX_STATEMENT_BYTES) break;
      this.closeStatement(name);
    }
  }
}

/** What names would stand for if what is asked but not confirmed had succeeded: tells what a skipped statement was. */
export class SupposedNames implements Names {
  readonly #confirmed: Names;
  readonly #statements = new Map<string, PreparedStatement>();
  readonly #portals = new Map<string, Portal>();

  constructor(confirmed: Names) {
    this.#confirmed = confirmed;
  }

  statement(name: string): PreparedStatement | undefined {
    return this.#statements.get(name) ?? this.#confirmed.statement(name);
  }

  portal(name: string): Portal | undefined {
    return this.#portals.get(name) ?? this.#confirmed.portal(name);
  }

  parse(statement: PreparedStatement): void {
    if (this.#statements.size < MAX_SUPPOSED) this.#statements.set(statement.name, statement);
  }

  bind(portal: Portal): void {
    if (this.#portals.size < MAX_SUPPOSED) this.#portals.set(portal.name, portal);
  }
}

function boundBytes(portal: Portal): number {
  return PORTAL_BYTES + portal.name.length + (portal.bound?.body.length ?? 0);
}

function bytesOf(statement: PreparedStatement): number {
  const { name, asked, types, described } = statement;
  const parts = COLUMN_BYTES * (described?.columns.length ?? 0) + TYPE_BYTES * types.length;
  return STATEMENT_BYTES + name.length + asked.text.length + parts;
}
