import { execFile } from "node:child_process";
import { mkdir, readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";

/** A certificate authority of a test's own, made by the openssl command. */
export interface TestAuthority {
  /** PEM of its certificate, and the file that holds it. */
  readonly ca: string;
  readonly caFile: string;
  /** A server's certificate for these host names and addresses, with its key, in PEM. */
  issue(...names: string[]): Promise<{ cert: string; key: string }>;
}

const openssl = async (args: readonly string[]) => promisify(execFile)("openssl", args);
const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

/** @param directory where its files go; made if need be */
export async function testAuthority(directory: string): Promise<TestAuthority> {
  await mkdir(directory, { recursive: true });
  const at = (name: string): string => join(directory, name);
  const caFile = at("ca.crt");
  await openssl(["req", "-x509", ...NEW_KEY, "-subj", "/CN=Test authority", "-keyout", at("ca.key"), "-out", caFile]);
  let issued = 0;
  return {
    ca: await readFile(caFile, "utf8"),
    caFile,
    async issue(...names) {
      const [key, cert] = [at(`${++issued}.key`), at(`${issued}.crt`)];
      const subject = names.map((name) => `${isIP(name) ? "IP" : "DNS"}:${name}`).join();
      const extension = ["-addext", `subjectAltName=${subject}`, "-addext", "basicConstraints=critical,CA:FALSE"];
      const authority = ["-CA", caFile, "-CAkey", at("ca.key")];
      await openssl(["req", "-x509", ...NEW_KEY, ...authority, "-subj", `/CN=test`, ...extension, "-keyout", key, "-out", cert]); // prettier-ignore
      return { cert: await readFile(cert, "utf8"), key: await readFile(key, "utf8") };
    },
  };
}
