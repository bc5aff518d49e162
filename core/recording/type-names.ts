/** Built-in types by OID and the OID of their arrays (PostgreSQL's src/include/catalog/pg_type.dat: they never change). */
const TYPES: readonly (readonly [name: string, oid: number, array: number])[] = [
  ["bool", 16, 1000],
  ["bytea", 17, 1001],
  ["char", 18, 1002],
  ["name", 19, 1003],
  ["int8", 20, 1016],
  ["int2", 21, 1005],
  ["int4", 23, 1007],
  ["text", 25, 1009],
  ["oid", 26, 1028],
  ["json", 114, 199],
  ["xml", 142, 143],
  ["point", 600, 1017],
  ["lseg", 601, 1018],
  ["path", 602, 1019],
  ["box", 603, 1020],
  ["polygon", 604, 1027],
  ["line", 628, 629],
  ["cidr", 650, 651],
  ["float4", 700, 1021],
  ["float8", 701, 1022],
  ["unknown", 705, 0],
  ["circle", 718, 719],
  ["macaddr8", 774, 775],
  ["money", 790, 791],
  ["macaddr", 829, 1040],
  ["inet", 869, 1041],
  ["bpchar", 1042, 1014],
  ["varchar", 1043, 1015],
  ["date", 1082, 1182],
  ["time", 1083, 1183],
  ["timestamp", 1114, 1115],
  ["timestamptz", 1184, 1185],
  ["interval", 1186, 1187],
  ["timetz", 1266, 1270],
  ["bit", 1560, 1561],
  ["varbit", 1562, 1563],
  ["numeric", 1700, 1231],
  ["refcursor", 1790, 2201],
  ["regclass", 2205, 2210],
  ["regtype", 2206, 2211],
  ["record", 2249, 2287],
  ["void", 2278, 0],
  ["uuid", 2950, 2951],
  ["tsvector", 3614, 3643],
  ["tsquery", 3615, 3645],
  ["jsonb", 3802, 3807],
  ["int4range", 3904, 3905],
  ["numrange", 3906, 3907],
  ["tsrange", 3908, 3909],
  ["tstzrange", 3910, 3911],
  ["daterange", 3912, 3913],
  ["int8range", 3926, 3927],
  ["jsonpath", 4072, 4073],
];

const NAMES: ReadonlyMap<number, string> = new Map(
  TYPES.flatMap(([name, oid, array]): [number, string][] =>
    array === 0
      ? [[oid, name]]
      : [
          [oid, name],
          [array, `${name}[]`],
        ],
  ),
);

/** The name of a type; `oid 12345` for one that is not built in, and `unknown` for 0, where the type was not stated. */
export function typeName(oid: number): string {
  if (oid === 0) return "unknown";
  return NAMES.get(oid) ?? `oid ${oid}`;
}
