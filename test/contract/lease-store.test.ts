import { openDatabase } from "../../local/database.ts";
import { sqliteLeaseStore } from "../../local/lease-store.ts";
import { leaseStoreContract } from "./lease-store.ts";

leaseStoreContract("SQLite", async () => sqliteLeaseStore(openDatabase(":memory:")));
