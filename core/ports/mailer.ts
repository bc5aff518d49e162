/** A mail to one person. Texts as they are; an adapter encodes them for its medium. */
export interface Mail {
  readonly to: { readonly name: string; readonly email: string };
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

/** Hands mail to whatever delivers it. */
export interface Mailer {
  /** Resolves when the mail is in other hands, for good. Throws `mail-unavailable`; then it may be tried again. */
  send(mail: Mail): Promise<void>;
}
