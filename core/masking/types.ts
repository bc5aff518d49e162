/**
 * What the masker does with a type. Values of `plain` types cannot hold what a detector looks for, those of `other` may; of both,
 * as of a type that is not built in, a masked value is NULL.
 */
export type TypeKind =
  | "text"
  | "char"
  | "json"
  | "jsonb"
  | "xml"
  | "bytea"
  | "uuid"
  | "int4"
  | "int8"
  | "numeric"
  | "array"
  | "record"
  | "plain"
  | "other"
  | "user-defined";

/** Built-in types that are not `other`, with the OID of their arrays (PostgreSQL's src/include/catalog/pg_type.dat). */
const TYPES: readonly (readonly [kind: TypeKind, oid: number, array: number])[] = [
  ["text", 25, 1009],
  ["text", 1043, 1015], // varchar
  ["text", 1042, 1014], // bpchar
  ["text", 19, 1003], // name
  ["text", 705, 0], // unknown
  ["text", 2275, 1263], // cstring
  ["char", 18, 1002],
  ["json", 114, 199],
  ["jsonb", 3802, 3807],
  ["xml", 142, 143],
  ["bytea", 17, 1001],
  ["uuid", 2950, 2951],
  ["int4", 23, 1007],
  ["int8", 20, 1016],
  ["numeric", 1700, 1231],
  ["record", 2249, 2287],
];

/** The others that have arrays, with the OID of those. */
const OTHER_ARRAYS: readonly (readonly [array: number, element: number])[] = [
  [1000, 16],
  [1005, 21],
  [1006, 22],
  [1008, 24],
  [1028, 26],
  [1010, 27],
  [1011, 28],
  [1012, 29],
  [1013, 30],
  [1017, 600],
  [1018, 601],
  [1019, 602],
  [1027, 604],
  [629, 628],
  [651, 650],
  [1021, 700],
  [1022, 701],
  [719, 718],
  [775, 774],
  [791, 790],
  [1040, 829],
  [1041, 869],
  [1182, 1082],
  [1183, 1083],
  [1115, 1114],
  [1185, 1184],
  [1187, 1186],
  [1270, 1266],
  [1561, 1560],
  [1563, 1562],
  [2201, 1790],
  [2210, 2205],
  [2211, 2206],
  [3643, 3614],
  [3645, 3615],
  [3905, 3904],
  [3907, 3906],
  [3909, 3908],
  [3911, 3910],
  [3913, 3912],
  [3927, 3926],
  [4073, 4072],
];

/** The first OID that is not reserved for built-in types (FirstNormalObjectId, src/include/access/transam.h). */
const FIRST_USER_OID = 16_384;

/** bool, int2, oid, xid, floats, date, timestamps, times, interval, bit strings. */
const PLAIN = [16, 21, 26, 28, 700, 701, 1082, 1083, 1114, 1184, 1186, 1266, 1560, 1562];

const KINDS: ReadonlyMap<number, TypeKind> = new Map([
  ...PLAIN.map((oid) => [oid, "plain"] as const),
  ...TYPES.map(([kind, oid]) => [oid, kind] as const),
]);
const ELEMENTS: ReadonlyMap<number, number> = new Map([
  ...TYPES.map(([, oid, array]) => [array, oid] as const),
  ...OTHER_ARRAYS,
]);

/** Asked for every value: an index is faster than a map. */
const BUILT_IN: readonly TypeKind[] = Array.from(
  { length: 5_000 },
  (_, oid) => KINDS.get(oid) ?? (oid !== 0 && ELEMENTS.has(oid) ? "array" : "other"),
);

export function typeKind(oid: number): TypeKind {
  return BUILT_IN[oid] ?? (oid >= FIRST_USER_OID ? "user-defined" : "other");
}

/** The OID of an array type's elements; 0 where it is not a built-in one. */
export function elementType(array: number): number {
  return ELEMENTS.get(array) ?? 0;
}
