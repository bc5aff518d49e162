import type { CountMask, Masking, MaskRule } from "../../../core/masking/masking.ts";

/** Whose eyes what goes by is for: the client's, the record's, or both. */
export interface MaskView {
  /** Its detectors are those that hold for this view. */
  readonly masking: Masking;
  applies(rule: MaskRule): boolean;
  readonly count: CountMask;
}
