import { openDatabase } from "../../local/database.ts";
import { sqliteSignInStore } from "../../local/sign-in-store.ts";
import { signInStoreContract } from "./sign-in-store.ts";

signInStoreContract("SQLite", () => sqliteSignInStore(openDatabase(":memory:")));
