export { browserless, signInOverHttp } from "../../cli/browserless-sign-in.ts";
