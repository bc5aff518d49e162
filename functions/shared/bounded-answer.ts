import { SallyportError } from "../../core/errors.ts";

/**
 * The largest body that is handed to Lambda, which takes 6 MB of JSON and no more, in which a body's base64 or its escapes
 * stand: half as much again is left for those.
 */
const MAX_ANSWER_BYTES = 4 << 20;

/**
 * An answer with its whole body, as Lambda hands it over. Throws `too-large` as soon as it is known to be longer, without
 * reading on.
 */
export async function boundedAnswer(response: Response): Promise<Response> {
  if (response.body === null) return response;
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response.body) {
    bytes += piece.length;
    if (bytes > MAX_ANSWER_BYTES)
      throw new SallyportError("too-large", `the answer is longer than ${MAX_ANSWER_BYTES} bytes`, {
        hint: "ask for less at a time: pages of the API take `limit` and `after`; `sallyport export` fetches chunk by chunk",
      });
    pieces.push(piece);
  }
  return new Response(Buffer.concat(pieces), response);
}
