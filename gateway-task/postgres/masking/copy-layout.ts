import { SallyportError } from "../../../core/errors.ts";
import type { CopyTaint } from "../../../core/masking/taint.ts";

/** How COPY writes its rows (PostgreSQL 18, COPY, File Formats). */
export type CopyLayout =
  | { readonly kind: "binary" }
  | {
      readonly kind: "text" | "csv";
      readonly delimiter: number;
      readonly null: Buffer;
      readonly quote: number;
      readonly escape: number;
      readonly header: boolean;
    };

export type TextLayout = Exclude<CopyLayout, { readonly kind: "binary" }>;

/** The layout that a statement's options ask for. Throws `feature-not-supported` where they cannot be followed. */
export function copyLayout({ options }: CopyTaint): CopyLayout {
  const text = (name: string, otherwise: string): string => {
    const given = options.get(name);
    return given === undefined || given === true ? otherwise : given;
  };
  const format = text("format", "text");
  if (format === "binary") return { kind: "binary" };
  if (format !== "text" && format !== "csv") throw notFollowed(`the format ${format}`);
  const csv = format === "csv";
  const quote = byteOf(text("quote", '"'));
  return {
    kind: format,
    delimiter: byteOf(text("delimiter", csv ? "," : "\t")),
    null: Buffer.from(text("null", csv ? "" : "\\N")),
    quote,
    escape: options.has("escape") ? byteOf(text("escape", '"')) : quote,
    header: options.has("header") && !/^(?:false|off|0)$/i.test(text("header", "on")),
  };
}

function byteOf(text: string): number {
  const bytes = Buffer.from(text);
  if (bytes.length !== 1) throw notFollowed("a delimiter of several bytes");
  return bytes[0] as number;
}

function notFollowed(what: string): SallyportError {
  return new SallyportError("feature-not-supported", `COPY with ${what} does not pass where values are masked`);
}
