import { openDatabase } from "../../local/database.ts";
import { sqliteSshKeyStore } from "../../local/ssh-key-store.ts";
import { sshKeyStoreContract } from "./ssh-key-store.ts";

sshKeyStoreContract("SQLite", async () => sqliteSshKeyStore(openDatabase(":memory:")));
