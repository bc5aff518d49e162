const NONE = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
/** East Asian wide and fullwidth characters, and pictographs (UAX #11), roughly. */
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]$/u;

/** Columns that a character takes on a terminal. */
export function columnsOf(character: string): number {
  if (character < "\u0300") return 1;
  if (NONE.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

export interface Place {
  readonly row: number;
  readonly column: number;
}

/** Where the cursor stands behind these characters, on a terminal so wide, if they begin at a place. */
export function placeBehind(characters: Iterable<string>, width: number, from: Place = { row: 0, column: 0 }): Place {
  let { row, column } = from;
  for (const character of characters) {
    const columns = columnsOf(character);
    if (column + columns > width) {
      row++;
      column = 0;
    }
    column += columns;
    if (column < width || columns === 0) continue;
    row++;
    column = 0;
  }
  return { row, column };
}
