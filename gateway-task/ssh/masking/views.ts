import type { Hit } from "../../../core/masking/detectors/hits.ts";
import type { LineFinder } from "../../../core/masking/line-finder.ts";
import type { Masking, MaskRule } from "../../../core/masking/masking.ts";

/** Whose eyes masked text is for. */
export interface View {
  readonly masking: Masking;
  readonly of: "client" | "record" | "both";
}

/** Where what stands in a value's place is put. */
export interface MaskSink {
  /** Bytes that stand next to each other, from a position in the channel's output on. */
  put(view: View, position: number, bytes: Buffer): void;
  /** A value was found that the record does not hold. */
  found(rule: MaskRule): void;
}

/** A view of one stream of output. */
export interface StreamView {
  readonly view: View;
  readonly finder: LineFinder;
}

/** The views that a session needs: the record's first, since its rules are the client's and more. */
export function viewsOf(masking: Masking, unmasked: boolean): readonly View[] {
  if (unmasked) return [{ masking, of: "record" }];
  if (masking.clientView === masking) return [{ masking, of: "both" }];
  const record: View = { masking, of: "record" };
  return masking.clientView.hasDetectors ? [record, { masking: masking.clientView, of: "client" }] : [record];
}

/** The value that was found, as the view may have it. */
export function maskedBy({ masking }: View, hit: Hit, line: Buffer): Buffer {
  return masking.maskToLength(hit, line.subarray(hit.start, hit.end));
}
