/** What an Athena column of this type would not hold of a value of JSON: nothing, where they fit. */
export function misfits(type: string, value: unknown, at = "$"): string[] {
  if (value === undefined) return [];
  if (type === "string") return typeof value === "string" ? [] : [`${at} is no text`];
  if (type === "boolean") return typeof value === "boolean" ? [] : [`${at} is no boolean`];
  if (type === "int") return Number.isInteger(value) && Math.abs(Number(value)) < 2 ** 31 ? [] : [`${at} is no int`];
  if (type === "bigint") return Number.isSafeInteger(value) ? [] : [`${at} is no bigint`];
  const inner = type.slice(type.indexOf("<") + 1, -1);
  if (type.startsWith("array<"))
    return Array.isArray(value)
      ? value.flatMap((item, n) => misfits(inner, item, `${at}[${n}]`))
      : [`${at} is no array`];
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [`${at} is no object`];
  if (type === "map<string,string>")
    return Object.entries(value).flatMap(([key, text]) => misfits("string", text, `${at}.${key}`));
  if (!type.startsWith("struct<")) return [`${type} is no type that is known here`];
  const fields = new Map(
    partsOf(inner).map((part) => [part.slice(0, part.indexOf(":")), part.slice(part.indexOf(":") + 1)]),
  );
  return Object.entries(value).flatMap(([name, field]) => {
    const known = fields.get(name);
    return known === undefined ? [`${at}.${name} is in no column`] : misfits(known, field, `${at}.${name}`);
  });
}

/** The fields of a struct, at its own depth. */
function partsOf(fields: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let at = 0; at < fields.length; at++) {
    const character = fields[at];
    if (character === "<") depth++;
    else if (character === ">") depth--;
    else if (character === "," && depth === 0) {
      parts.push(fields.slice(from, at));
      from = at + 1;
    }
  }
  return [...parts, fields.slice(from)];
}
