declare const brand: unique symbol;

/** A nominal type: a `Branded<string, "PassId">` is a string at run time and no other string at compile time. */
export type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** Milliseconds since the Unix epoch. Always an argument of a decision, never read inside one. */
export type Instant = number;

/** A SHA-256 digest as 64 lower-case hexadecimal digits. */
export type Digest = Branded<string, "Digest">;
