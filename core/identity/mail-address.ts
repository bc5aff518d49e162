/** RFC 5321 §4.5.3.1.3, less the angle brackets of a path. */
const MAX_LENGTH = 254;
/**
 * An address in its plain form: RFC 5322's dot-atom, or the same with letters of any script (RFC 6531), and a domain. Neither
 * quotes nor comments nor lists: nothing that two programs read differently.
 */
const ADDRESS =
  /^[\p{L}\p{N}!#$%&'*+/=?^_`{|}~-]+(\.[\p{L}\p{N}!#$%&'*+/=?^_`{|}~-]+)*@[\p{L}\p{N}-]+(\.[\p{L}\p{N}-]+)*$/u;

/** May mail be sent to this text? */
export function isMailAddress(text: string): boolean {
  return text.length <= MAX_LENGTH && ADDRESS.test(text);
}
