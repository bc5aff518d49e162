/** Days from 0000-03-01 to 2000-01-01, where PostgreSQL counts from. */
const DAYS_TO_2000 = 730_425;
const DAYS_IN_400_YEARS = 146_097;
const MICROS_IN_DAY = 86_400_000_000n;
const MAX_INT32 = 0x7fffffff;
const MIN_INT32 = -0x80000000;
const MAX_INT64 = 0x7fffffffffffffffn;
const MIN_INT64 = -0x8000000000000000n;

/** date_send: days since 2000-01-01. */
export function binaryDate(bytes: Buffer): string | undefined {
  if (bytes.length !== 4) return undefined;
  const days = bytes.readInt32BE(0);
  if (days === MAX_INT32) return "infinity";
  if (days === MIN_INT32) return "-infinity";
  const { date, era } = calendarDate(days);
  return date + era;
}

/** time_send: microseconds since midnight. */
export function binaryTime(bytes: Buffer): string | undefined {
  if (bytes.length !== 8) return undefined;
  const micros = bytes.readBigInt64BE(0);
  return micros < 0n || micros > MICROS_IN_DAY ? undefined : timeOfDay(micros);
}

/**
 * timestamp_send, timestamptz_send: microseconds since 2000-01-01, of the latter in UTC.
 * @param zone what follows the time
 */
export function binaryTimestamp(bytes: Buffer, zone: string): string | undefined {
  if (bytes.length !== 8) return undefined;
  const micros = bytes.readBigInt64BE(0);
  if (micros === MAX_INT64) return "infinity";
  if (micros === MIN_INT64) return "-infinity";
  const within = ((micros % MICROS_IN_DAY) + MICROS_IN_DAY) % MICROS_IN_DAY;
  const { date, era } = calendarDate(Number((micros - within) / MICROS_IN_DAY));
  return `${date} ${timeOfDay(within)}${zone}${era}`;
}

/** The proleptic Gregorian date, by eras of 400 years that begin in March. JavaScript's Date ends where PostgreSQL's has years to go. */
function calendarDate(daysSince2000: number): { date: string; era: string } {
  const days = daysSince2000 + DAYS_TO_2000;
  const cycle = Math.floor(days / DAYS_IN_400_YEARS);
  const day = days - cycle * DAYS_IN_400_YEARS;
  const year = Math.floor((day - Math.floor(day / 1460) + Math.floor(day / 36524) - Math.floor(day / 146096)) / 365);
  const dayOfYear = day - (365 * year + Math.floor(year / 4) - Math.floor(year / 100));
  const month = Math.floor((5 * dayOfYear + 2) / 153);
  const dayOfMonth = dayOfYear - Math.floor((153 * month + 2) / 5) + 1;
  const civilYear = year + cycle * 400 + (month >= 10 ? 1 : 0);
  const shown = String(civilYear > 0 ? civilYear : 1 - civilYear).padStart(4, "0");
  const two = (n: number): string => String(n).padStart(2, "0");
  const date = `${shown}-${two(month < 10 ? month + 3 : month - 9)}-${two(dayOfMonth)}`;
  return { date, era: civilYear > 0 ? "" : " BC" };
}

function timeOfDay(micros: bigint): string {
  const total = Number(micros);
  const seconds = Math.floor(total / 1e6);
  const fraction = total - seconds * 1e6;
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const time = parts.map((part) => String(part).padStart(2, "0")).join(":");
  return fraction === 0 ? time : `${time}.${String(fraction).padStart(6, "0").replace(/0+$/, "")}`;
}
