import {
  CATALOGUE,
  CITIES,
  COLOURS,
  FAMILY_NAMES,
  GIVEN_NAMES,
  HARD_MATERIALS,
  SOFT_MATERIALS,
  PHONES,
  STREETS,
  TITLES,
} from "./shop-words.ts";

const SEED = 20_261_122;
const CUSTOMERS = 6_000;
const PRODUCTS = 600;
const ORDERS = 14_000;
const TICKETS = 1_200;
const EMPLOYEES = 60;
/** The shop's last day. A fixed one, so that the rows are the same whenever they are made. */
const LAST_DAY = Date.UTC(2026, 10, 20);
const DAY_MS = 86_400_000;
const YEARS_OF_TRADE = 3;
/** Card schemes by leading digits (of the schemes' own test numbers) and length. */
const CARDS = [
  ["424242", 16],
  ["400005", 16],
  ["555555", 16],
  ["520082", 16],
  ["378282", 15],
  ["601111", 16],
] as const;
/** ISO 13616: country, and the length of what follows the check digits. */
const IBANS = [
  ["DE", 18],
  ["ES", 20],
  ["AT", 16],
  ["DK", 14],
] as const;

type Row = Record<string, unknown>;
type Customer = ReturnType<typeof customerRows>[number];
type Address = ReturnType<typeof addressRows>[number];
type Product = ReturnType<typeof catalogueRows>["products"][number];
type Order = Row & { readonly id: number; readonly customer_id: number };

interface Dice {
  /** An integer of [0, below). */
  upTo(below: number): number;
  pick<T>(from: readonly T[]): T;
  chance(percent: number): boolean;
  digits(count: number): string;
}

/** mulberry32: small, and the same on every machine. Nothing here needs to be unpredictable. */
function dice(seed: number): Dice {
  let state = seed;
  const upTo = (below: number): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
  return {
    upTo,
    pick: <T>(from: readonly T[]): T => from[upTo(from.length)] as T,
    chance: (percent) => upTo(100) < percent,
    digits: (count) => Array.from({ length: count }, () => upTo(10)).join(""),
  };
}

/** Every row of the shop by table, in an order in which references point backwards. Always the same rows. */
export function shopRows(): Record<string, Row[]> {
  const random = dice(SEED);
  const employees = employeeRows(random);
  const customers = customerRows(random);
  const addresses = addressRows(random, customers.length);
  const { categories, products } = catalogueRows(random);
  const { orders, order_items, payments } = orderRows(random, products, addresses, customers);
  const support_tickets = ticketRows(random, orders, customers);
  return { employees, customers, addresses, categories, products, orders, order_items, payments, support_tickets };
}

function employeeRows(random: Dice) {
  return Array.from({ length: EMPLOYEES }, (_, index) => {
    const name = personName(random);
    const boss = index === 0;
    return {
      id: index + 1,
      name,
      email: `${slug(name)}.${index + 1}@shop.example.com`,
      title: boss ? "Managing director" : random.pick(TITLES),
      manager_id: boss ? null : 1 + random.upTo(Math.min(index, 6)),
      hired_on: day(random.upTo(3_000)),
      salary: (boss ? 148_000 : 31_000 + random.upTo(60) * 1_000).toFixed(2),
      // Numbers from 900 on are never issued as social security numbers.
      ssn: `9${random.digits(2)}-${random.digits(2)}-${random.digits(4)}`,
    };
  });
}

function customerRows(random: Dice) {
  return Array.from({ length: CUSTOMERS }, (_, index) => {
    const name = personName(random);
    const domain = random.pick(["example.com", "example.org", "mail.example.com", "post.example.org"]);
    return {
      id: index + 1,
      name,
      email: `${slug(name)}${index + 1}@${domain}`,
      phone: random.chance(85) ? phone(random) : null,
      date_of_birth: day(18 * 365 + random.upTo(60 * 365)),
      card_number: random.chance(70) ? cardNumber(random) : null,
      iban: random.chance(35) ? iban(random) : null,
      marketing_consent: random.chance(40),
      created_at: moment(random, YEARS_OF_TRADE * 365 + random.upTo(365)),
    };
  });
}

function addressRows(random: Dice, customers: number) {
  const rows: { id: number; customer_id: number; [column: string]: string | number }[] = [];
  const add = (customer: number, kind: string) => {
    const [city, postcode, country] = random.pick(CITIES);
    rows.push({
      id: rows.length + 1,
      customer_id: customer,
      kind,
      street: `${1 + random.upTo(180)} ${random.pick(STREETS)} ${random.pick(["Street", "Road", "Lane", "Square"])}`,
      postcode: postcode + random.digits(2),
      city,
      country,
    });
  };
  for (let customer = 1; customer <= customers; customer += 1) {
    add(customer, "shipping");
    if (random.chance(20)) add(customer, "billing");
  }
  return rows;
}

function catalogueRows(random: Dice) {
  const names = Object.keys(CATALOGUE);
  const categories = [{ id: 1, name: "Home", parent_id: null as number | null }].concat(
    names.map((name, index) => ({ id: index + 2, name, parent_id: 1 })),
  );
  const products = Array.from({ length: PRODUCTS }, (_, index) => {
    const category = random.upTo(names.length);
    const thing = random.pick(CATALOGUE[names[category] ?? ""] ?? []);
    const material = random.pick(names[category] === "Textiles" ? SOFT_MATERIALS : HARD_MATERIALS);
    const colour = random.pick(COLOURS);
    return {
      id: index + 1,
      category_id: category + 2,
      sku: `${(names[category] ?? "").slice(0, 3).toUpperCase()}-${String(index + 1).padStart(5, "0")}`,
      name: `${colour} ${material} ${thing}`,
      price: (4 + random.upTo(240) + random.pick([0, 0.5, 0.9, 0.95])).toFixed(2),
      stock: random.upTo(400),
      tags: random.chance(30) ? ["new", material] : [material],
      attributes: { colour, material, weight_g: 100 + random.upTo(5_000) },
    };
  });
  return { categories, products };
}

function orderRows(
  random: Dice,
  products: readonly Product[],
  addresses: readonly Address[],
  customers: readonly Customer[],
) {
  const orders: Order[] = [];
  const order_items: Row[] = [];
  const payments: Row[] = [];
  for (let id = 1; id <= ORDERS; id += 1) {
    const address = random.pick(addresses);
    // Newest last, as a sequence would have numbered them.
    const age = Math.floor(((ORDERS - id) / ORDERS) * YEARS_OF_TRADE * 365);
    const placed = moment(random, age);
    const status = orderStatus(random, age);
    let cents = 0;
    for (let line = 1 + random.upTo(4); line > 0; line -= 1) {
      const product = random.pick(products);
      const quantity = random.chance(75) ? 1 : 2 + random.upTo(5);
      cents += quantity * Math.round(Number(product.price) * 100);
      order_items.push({ order_id: id, line, product_id: product.id, quantity, unit_price: product.price });
    }
    const total = (cents / 100).toFixed(2);
    const note = random.chance(4) ? `Please ring ${phone(random)} before delivery` : null;
    const customer_id = address.customer_id;
    orders.push({ id, customer_id, shipping_address_id: address.id, status, total, note, placed_at: placed });
    if (status === "pending" || status === "cancelled") continue;
    const card = customers[customer_id - 1]?.card_number;
    const [method, card_last4] = card ? ["card", card.slice(-4)] : ["transfer", null];
    payments.push({ id: payments.length + 1, order_id: id, method, amount: total, card_last4, paid_at: placed });
  }
  return { orders, order_items, payments };
}

function orderStatus(random: Dice, daysAgo: number): string {
  if (daysAgo <= 14) return random.pick(["pending", "paid", "packed", "shipped"]);
  return random.chance(90) ? "delivered" : random.pick(["returned", "cancelled"]);
}

function ticketRows(random: Dice, orders: readonly Order[], customers: readonly Customer[]): Row[] {
  return Array.from({ length: TICKETS }, (_, index) => {
    const order = random.pick(orders);
    const customer = customers[order.customer_id - 1];
    const card = spaced(customer?.card_number ?? cardNumber(random));
    const [subject, body] = random.pick([
      ["Charged twice", `My card ${card} was charged twice for order ${order.id}. Please refund one of them.`],
      ["Where is my order?", `Order ${order.id} has not arrived. You can reach me at ${customer?.email}.`],
      ["Wrong colour", "I ordered the navy one and got the mustard one. It is growing on me, but still."],
      ["Please call me", `I would rather talk about this: ${phone(random)}, any time after six.`],
      ["Refund", `Please send the refund for order ${order.id} to ${customer?.iban ?? iban(random)}.`],
    ]);
    return {
      id: index + 1,
      customer_id: order.customer_id,
      order_id: order.id,
      assignee_id: random.chance(80) ? 1 + random.upTo(EMPLOYEES) : null,
      subject,
      body,
      open: random.chance(15),
      opened_at: order["placed_at"],
    };
  });
}

function personName(random: Dice): string {
  return `${random.pick(GIVEN_NAMES)} ${random.pick(FAMILY_NAMES)}`;
}

/** A name as the local part of an address: without marks, in ASCII. */
function slug(name: string): string {
  const plain = name.replaceAll("ø", "o").replaceAll("Ø", "O").replaceAll("Ł", "L").replaceAll("ł", "l");
  return plain
    .normalize("NFD")
    .replaceAll(/[^A-Za-z ]/g, "")
    .replaceAll(" ", ".")
    .toLowerCase();
}

function phone(random: Dice): string {
  return random.pick(PHONES).replaceAll("x", () => random.digits(1));
}

/** ISO/IEC 7812-1, annex B: the last digit makes the Luhn sum a multiple of ten. */
function cardNumber(random: Dice): string {
  const [prefix, length] = random.pick(CARDS);
  const body = prefix + random.digits(length - prefix.length - 1);
  const sum = Array.from(body)
    .toReversed()
    .reduce((total, digit, index) => {
      const weighted = Number(digit) * (index % 2 === 0 ? 2 : 1);
      return total + (weighted > 9 ? weighted - 9 : weighted);
    }, 0);
  return body + String((10 - (sum % 10)) % 10);
}

/** ISO 13616: check digits by ISO/IEC 7064 MOD 97-10, letters counted from A = 10. */
function iban(random: Dice): string {
  const [country, length] = random.pick(IBANS);
  const account = random.digits(length);
  const numeric = Array.from(`${country}00`, (character) => Number.parseInt(character, 36)).join("");
  const check = 98n - (BigInt(account + numeric) % 97n);
  return `${country}${String(check).padStart(2, "0")}${account}`;
}

function spaced(card: string): string {
  return card.replaceAll(/(\d{4})(?=\d)/g, "$1 ");
}

function day(daysAgo: number): string {
  return new Date(LAST_DAY - daysAgo * DAY_MS).toISOString().slice(0, 10);
}

function moment(random: Dice, daysAgo: number): string {
  return new Date(LAST_DAY - daysAgo * DAY_MS - random.upTo(DAY_MS)).toISOString();
}
