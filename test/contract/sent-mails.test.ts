import { memorySentMails } from "../setup/memory-sent-mails.ts";
import { sentMailsContract } from "./sent-mails.ts";

sentMailsContract("memory", async () => memorySentMails());
