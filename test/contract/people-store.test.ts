import { openDatabase } from "../../local/database.ts";
import { sqlitePeopleStore } from "../../local/people-store.ts";
import { peopleStoreContract } from "./people-store.ts";

peopleStoreContract("SQLite", async () => sqlitePeopleStore(openDatabase(":memory:")));
