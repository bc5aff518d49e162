import { openDatabase } from "../../local/database.ts";
import { sqlitePassStore } from "../../local/pass-store.ts";
import { passStoreContract } from "./pass-store.ts";

passStoreContract("SQLite", async () => sqlitePassStore(openDatabase(":memory:")));
