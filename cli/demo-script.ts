import type { StatementEvent } from "../core/recording/events.ts";

/** A statement of the demo, and what must become of it. */
export interface Scripted {
  readonly what: string;
  readonly sql: string;
  /** How many rows the client gets. */
  readonly rows: number;
  /** The command tag, or the SQLSTATE of a statement that must fail. */
  readonly ends: string;
  /** How the record shows it, where it might hold values of masked columns. */
  readonly recorded?: RegExp;
}

/** What the engineer does in the shop, with psql where it is installed. */
export const SHOP_SCRIPT: readonly Scripted[] = [
  {
    what: "a join",
    sql: `select c.name, c.email, count(*) as orders, sum(o.total) as spent
  from customers c join orders o on o.customer_id = c.id
 where o.status <> 'cancelled'
 group by c.id order by spent desc limit 5`,
    rows: 5,
    ends: "SELECT 5",
  },
  {
    what: "an insert",
    sql: `insert into support_tickets (customer_id, subject, body)
values (17, 'Where is my parcel?', 'Ordered last week, and no news since.') returning id, opened_at`,
    rows: 1,
    ends: "INSERT 0 1",
  },
  {
    what: "a prepared statement",
    sql: `prepare customers_in (text, int) as
select c.name, a.postcode from customers c join addresses a on a.customer_id = c.id where a.city = $1 order by c.id limit $2`,
    rows: 0,
    ends: "PREPARE",
  },
  {
    what: "its execution",
    sql: "execute customers_in ('København', 3)",
    rows: 3,
    ends: "SELECT 3",
    recorded: /^execute customers_in \('[^']*', '[^']*'\)$/,
  },
  {
    what: "a COPY",
    sql: "copy (select sku, name, price from products order by id limit 100) to stdout (format csv)",
    rows: 100,
    ends: "COPY 100",
  },
  { what: "an error", sql: "update employees set title = 'Director' where id = 1", rows: 0, ends: "42501" },
];

/** What policy and masking make of the same engineer's further wishes. Somebody else has to consent to the second. */
export const GUARDED_SCRIPT: readonly Scripted[] = [
  { what: "a DROP, which is blocked", sql: "drop table orders", rows: 0, ends: "42501" },
  {
    what: "a DELETE, which waits for consent",
    sql: "delete from order_items where order_id = 17 and line = 1 returning product_id",
    rows: 1,
    ends: "DELETE 1",
  },
  {
    what: "personal data, which is masked",
    sql: "select name, email, phone, card_number, iban from customers order by id limit 5",
    rows: 5,
    ends: "SELECT 5",
  },
  {
    what: "free text, in which card numbers are masked",
    sql: "select body from support_tickets where subject = 'Charged twice' order by id limit 3",
    rows: 3,
    ends: "SELECT 3",
  },
];
/** What none of that may show, neither to the client nor to whoever replays it. */
export const PERSONAL_DATA = `
select unnest(array[email, phone, card_number, iban]) as value from (select * from customers order by id limit 5) c
union all
select substring(body from '\\d{4} \\d{4} \\d{4} \\d{1,7}')
  from (select body from support_tickets where subject = 'Charged twice' order by id limit 3) t`;

/** What an application does: a statement prepared by the protocol, executed twice with bound parameters. */
export const APPLICATION_QUERY = {
  name: "affordable",
  text: "select name, price, stock from products where price <= $1 and stock >= $2 order by price desc, id limit 3",
};
export const APPLICATION_VALUES = [
  [20, 1],
  [99.5, 10],
] as const;
export const APPLICATION_SCRIPT: readonly Scripted[] = APPLICATION_VALUES.map((values, n) => ({
  what: `execution ${n + 1}, with ${values.join(" and ")}`,
  sql: APPLICATION_QUERY.text,
  rows: 3,
  ends: "SELECT 3",
}));

/** Is this the record of that statement? Answers what is wrong with it. */
export function differs(expected: Scripted, recorded: StatementEvent | undefined): string | undefined {
  if (recorded === undefined) return "it is not in the recording";
  const text = recorded.text.replace(/;\s*$/, "");
  if (expected.recorded ? !expected.recorded.test(text) : text !== expected.sql)
    return `the recording has "${recorded.text}"`;
  if (recorded.rows !== expected.rows) return `${recorded.rows} rows are recorded, not ${expected.rows}`;
  if (recorded.duration === undefined) return "its duration is missing";
  const end = recorded.sqlstate ?? recorded.tag;
  return end === expected.ends ? undefined : `it is recorded as ${end ?? recorded.outcome}, not ${expected.ends}`;
}
