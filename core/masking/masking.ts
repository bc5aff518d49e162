import type { Hit } from "./detectors/hits.ts";
import type { LineFinder } from "./line-finder.ts";
import type { WriteMask } from "./text-styles.ts";

/** How a value is masked. `hash` is deterministic a deployment, so that joins and counts still work. */
export type MaskStyle = "full" | "partial" | "hash" | "null" | "format-preserving";

export interface MaskRule {
  /** As `masking.yaml` names it: what the record counts by. */
  readonly name: string;
  readonly style: MaskStyle;
  readonly where: "client+recording" | "recording-only";
}

/** One table's column in the target, as its catalog names it. */
export interface ColumnName {
  readonly schema: string;
  readonly table: string;
  readonly column: string;
}

/** Called once for each value that a rule masked. */
export type CountMask = (rule: MaskRule) => void;

/** A `masking.yaml`, for whichever connection it is asked about. Pure. */
export interface MaskingConfig {
  /** SHA-256 of the configuration, in hex. */
  readonly version: string;
  /** The rules that apply to a connection. The same object each time. */
  forConnection(connection: string, environment: string): Masking;
}

export interface Search {
  /**
   * Whether a detector may find something in the value at [start, end), whatever the bytes around it. Nothing is found in a
   * value of which it says no.
   * @param start not before that of the last value that was asked about
   */
  mayHold(start: number, end: number): boolean;
  /** The same of what is one value and no more, which it can tell more exactly. */
  mayBeIn(start: number, end: number): boolean;
}

/** The rules of one connection. Pure. What cannot be decoded is replaced whole, never passed (invariant 2). */
export interface Masking {
  /** SHA-256 of the configuration, in hex. */
  readonly version: string;
  /** Whether any column rule exists at all; where none does, no catalog is asked. */
  readonly hasColumnRules: boolean;
  /** Whether any detector is on for this connection's environment. */
  readonly hasDetectors: boolean;
  /** The same without the rules that are `recording-only`: what the client's view is under. This very object where there are none. */
  readonly clientView: Masking;
  columnRule(column: ColumnName): MaskRule | undefined;
  /** A rule that some table's column of this name may be under; left out: of any name. For texts, where tables are not told. */
  columnRuleByName(column?: string): MaskRule | undefined;
  /**
   * One value of a masked column as it goes on: another value that is valid for its type, or undefined for SQL NULL.
   * @param type   the OID of its type. Of a type that is not built in, what it is like: 25 for one of category S (citext),
   *               2249 for a composite; else the value becomes NULL
   * @param format 0 text, 1 binary (PostgreSQL 18 §54.7)
   */
  maskValue(rule: MaskRule, value: Buffer, type: number, format: 0 | 1): Buffer | undefined;
  /** The shortest way to what `maskValue` answers of most values of a type under a rule; undefined where there is none. */
  writerOf(rule: MaskRule, type: number): WriteMask | undefined;
  /**
   * One value of a column without a rule, after the detectors: the identical Buffer where they found nothing; undefined,
   * which is SQL NULL, where what they found cannot be replaced within a valid value of its type.
   */
  detectInValue(value: Buffer, type: number, format: 0 | 1, count: CountMask): Buffer | undefined;
  /** Free text, such as an error's, a notice's or a statement's, after the detectors: the identical Buffer where nothing was found. */
  detectInText(text: Buffer, count: CountMask): Buffer;
  /**
   * Tells of the values in a stretch of a chunk, asked in their order, which have to be looked at because a detector may find
   * something in them; beside those that `alwaysLook` names. A value that goes on in the next chunk is the caller's to put
   * together first.
   */
  search(chunk: Buffer, from: number, to: number): Search;
  /** What finds values in text that comes line by line, in one stream of it. */
  lineFinder(): LineFinder;
  /** The rule by which a line finder has found something. */
  ruleOf(hit: Hit): MaskRule | undefined;
  /** What a value becomes that a line finder has found, with as many bytes. Of a private key nothing is shown in any style. */
  maskToLength(hit: Hit, value: Buffer): Buffer;
  /** Whether values of this type and format must be looked at whatever a search says: their bytes do not show what they hold. */
  alwaysLook(type: number, format: 0 | 1): boolean;
  /** Whether a search tells all of values of this type and format; of others it only tells of whole chunks. */
  isSearched(type: number, format: 0 | 1): boolean;
}
