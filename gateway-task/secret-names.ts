export const SECRET_NAME = "(?:pass(?:word|wd|phrase)|pwd|secret)\\w*";
const NAMES_SECRET = new RegExp(SECRET_NAME, "i");
/** What variables of an environment are called that hold one, beside that. */
const NAMES_SECRET_VARIABLE = /token|credential|(?:api|access|private)_?key|_psw$|auth(?:orization)?$/i;

const WORKING_DIRECTORY = /^(?:OLD)?PWD$/;

/** Whether a setting's name says that its value is a secret. */
export function namesSecret(name: string): boolean {
  return NAMES_SECRET.test(name);
}

/** The same of a variable of an environment. */
export function namesSecretVariable(name: string): boolean {
  return !WORKING_DIRECTORY.test(name) && (NAMES_SECRET.test(name) || NAMES_SECRET_VARIABLE.test(name));
}
