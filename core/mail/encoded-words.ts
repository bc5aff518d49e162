/** Bytes of one encoded word: with its frame it has at most 75 characters (RFC 2047 §2). */
const WORD_BYTES = 45;

/**
 * Any text of a header as encoded words, always: left as it is, a plain text that looks like one, a requester's name say, would be
 * shown as something else.
 * @param between what parts the words; white space, which a reader drops (RFC 2047 §6.2)
 */
export function encodedWords(text: string, between: " " | "\r\n "): string {
  const words: string[] = [];
  let word = "";
  for (const character of text) {
    if (Buffer.byteLength(word + character) > WORD_BYTES) {
      words.push(word);
      word = "";
    }
    word += character;
  }
  return [...words, word].map((one) => `=?utf-8?B?${Buffer.from(one).toString("base64")}?=`).join(between);
}
