/**
 * Is this text of XML nothing but elements, attributes and characters? A DOCTYPE brings entities, comments split text where
 * two parsers see different things, CDATA hides markup, and instructions are for somebody else: SAML needs none of them.
 * The one exception is the declaration at the very beginning.
 */
export function hasOnlyElements(xml: string): boolean {
  return !/<!|<\?/.test(xml.replace(/^\uFEFF?<\?xml\s[^<>]*\?>/, ""));
}

const SIGNATURES: ReadonlySet<string> = new Set([
  "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
  "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
  "http://www.w3.org/2001/04/xmlenc#sha256",
  "http://www.w3.org/2001/04/xmlenc#sha512",
  "http://www.w3.org/2000/09/xmldsig#enveloped-signature",
  // Exclusive, and without comments: whatever is signed is what is read.
  "http://www.w3.org/2001/10/xml-exc-c14n#",
]);

/**
 * Of encryption: RSA-OAEP for the key (never PKCS #1 v1.5, which leaks the key to whoever may ask often enough). CBC is here because
 * it is what providers choose by default; what was encrypted is signed, and every refusal looks the same.
 */
const ENCRYPTION: ReadonlySet<string> = new Set([
  "http://www.w3.org/2001/04/xmlenc#aes128-cbc",
  "http://www.w3.org/2001/04/xmlenc#aes256-cbc",
  "http://www.w3.org/2009/xmlenc11#aes128-gcm",
  "http://www.w3.org/2009/xmlenc11#aes256-gcm",
  "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p",
  // Inside OAEP SHA-1 is what the standard prescribes, and no signature.
  "http://www.w3.org/2000/09/xmldsig#sha1",
]);

const ALGORITHM = /Algorithm\s*=\s*(?:"([^"]*)"|'([^']*)')/g;

/** Does this XML name no algorithm but those that we take, where `encrypted` says whether it may hold encrypted parts? */
export function hasOnlyKnownAlgorithms(xml: string, encrypted: boolean): boolean {
  return [...xml.matchAll(ALGORITHM)].every(([, one = "", other = ""]) => {
    const named = one || other;
    return SIGNATURES.has(named) || (encrypted && ENCRYPTION.has(named));
  });
}
