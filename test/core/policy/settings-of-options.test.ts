import { expect, test } from "vitest";
import { settingsOfOptions } from "../../../core/policy/settings-of-options.ts";

test.each([
  ["", []],
  ["  ", []],
  ["-c standard_conforming_strings=off", ["standard_conforming_strings"]],
  ["-cstandard_conforming_strings=off", ["standard_conforming_strings"]],
  ["--standard_conforming_strings=off", ["standard_conforming_strings"]],
  ["--standard-conforming-strings=off", ["standard_conforming_strings"]],
  ["-c Standard-Conforming_Strings=off", ["standard_conforming_strings"]],
  ["-c search_path=a,b\\ c -c\twork_mem=1", ["search_path", "work_mem"]],
  ["-c search_path=a\\ --backslash_quote=on", ["search_path"]],
  ["-c search_path=a\\\\ --backslash_quote=on", ["backslash_quote", "search_path"]],
  ["-c geqo=off\n--client_encoding=SJIS", ["client_encoding", "geqo"]],
  ["\\-\\c backslash_quote=on", ["backslash_quote"]],
  ["-S 100 -O", ["allow_system_table_mods", "work_mem"]],
  ["-S100", ["work_mem"]],
  ["-fs", ["*"]],
  ["-OF", ["*"]],
  ["-c", ["*"]],
  ["-c geqo", ["*"]],
  ["--", ["*"]],
  ["--geqo", ["*"]],
  ["geqo=off", ["*"]],
  ["-c geqo=off \\", ["*", "geqo"]],
])("the start-up options %j change the settings %j; what is not understood counts as any", (options, settings) => {
  expect(settingsOfOptions(options)).toEqual(settings);
});
