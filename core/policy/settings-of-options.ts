/** Switches of a server process that take the next word as their argument, or the rest of their own (postgres.c, process_postgres_switches). */
const WITH_ARGUMENT: ReadonlyMap<string, string> = new Map([
  ["B", "shared_buffers"],
  ["S", "work_mem"],
  ["N", "max_connections"],
  ["h", "listen_addresses"],
  ["k", "unix_socket_directories"],
  ["p", "port"],
  ["W", "post_auth_delay"],
  ["d", "log_min_messages"],
]);
const WITHOUT_ARGUMENT: ReadonlyMap<string, string> = new Map([
  ["F", "fsync"],
  ["O", "allow_system_table_mods"],
  ["P", "ignore_system_indexes"],
  ["e", "datestyle"],
  ["i", "listen_addresses"],
  ["l", "ssl"],
  ["s", "log_statement_stats"],
]);
/** A word behind a backslash holds what follows it, be it a space (pg_split_opts). */
const WORD = /(?:[^\s\\]|\\[^])+/g;

/**
 * The settings that the start-up parameter `options` changes, as `StatementFacts.settings` names them; `*` for what is
 * none of the forms that we know, so that a policy on settings does not miss it.
 */
export function settingsOfOptions(options: string): string[] {
  const words = [...options.matchAll(WORD)].map(([word]) => word.replace(/\\([^])/g, "$1"));
  const settings = new Set<string>();
  // A backslash at the very end stands alone: it is part of no word.
  if (/(?:^|[^\\])(?:\\\\)*\\$/.test(options)) settings.add("*");
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    if (word.startsWith("--")) settings.add(longOption(word.slice(2)));
    else if (word === "-c") settings.add(longOption(words[++at] ?? ""));
    else if (word.startsWith("-c")) settings.add(longOption(word.slice(2)));
    else if (WITH_ARGUMENT.has(word.charAt(1)) && word.startsWith("-")) {
      settings.add(WITH_ARGUMENT.get(word.charAt(1)) ?? "*");
      if (word.length === 2) at++;
    } else settings.add((word.startsWith("-") && word.length === 2 && WITHOUT_ARGUMENT.get(word.charAt(1))) || "*");
  }
  return [...settings].toSorted();
}

/** `name=value`, a dash in the name standing for an underscore (ParseLongOption). */
function longOption(text: string): string {
  const name = text
    .slice(0, Math.max(text.indexOf("="), 0))
    .replaceAll("-", "_")
    .toLowerCase();
  return name === "" ? "*" : name;
}
