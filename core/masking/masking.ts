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

/** A compiled `masking.yaml`. Pure. What cannot be decoded is replaced whole, never passed (invariant 2). */
export interface Masking {
  /** SHA-256 of the configuration, in hex. */
  readonly version: string;
  /** Whether any column rule exists at all; where none does, no catalog is asked. */
  readonly hasColumnRules: boolean;
  /** Whether any detector is on for this connection's environment. */
  readonly hasDetectors: boolean;
  columnRule(column: ColumnName): MaskRule | undefined;
  /**
   * One value of a masked column as it goes on: another value that is valid for its type, or undefined for SQL NULL.
   * @param type   the OID of its type
   * @param format 0 text, 1 binary (PostgreSQL 18 §54.7)
   */
  maskValue(rule: MaskRule, value: Buffer, type: number, format: 0 | 1): Buffer | undefined;
  /** One value of a column without a rule, after the detectors: the identical Buffer where they found nothing. */
  detectInValue(value: Buffer, type: number, format: 0 | 1, count: CountMask): Buffer;
  /** Free text, such as an error's, a notice's or a statement's, after the detectors: the identical Buffer where nothing was found. */
  detectInText(text: Buffer, count: CountMask): Buffer;
}
