import { S3Client } from "@aws-sdk/client-s3";
import { chmod, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clientOptions } from "../../aws/client-options.ts";
import { s3ConfigurationStore } from "../../aws/configuration-store.ts";
import { fileConfigurationStore } from "../../local/configuration-store.ts";
import { bundle } from "../setup/bundles.ts";
import { type FakeS3, startFakeS3 } from "../setup/fake-s3.ts";
import { ANYBODY } from "../setup/moto.ts";
import { configurationStoreContract } from "./configuration-store.ts";

const made: string[] = [];
const folder = async (): Promise<string> => {
  const path = await mkdtemp(join(tmpdir(), "sallyport-configurations-"));
  made.push(path);
  return path;
};
let fake: FakeS3;
beforeAll(async () => {
  fake = await startFakeS3();
});
afterAll(async () => {
  await fake.close();
  for (const path of made) await rm(path, { recursive: true });
});
const clock = (): number => 7;

configurationStoreContract("files", async (now) => {
  const path = await folder();
  return [fileConfigurationStore(path, now), fileConfigurationStore(path, now)];
});

const s3Store = (now = clock) => {
  const client = new S3Client({ ...clientOptions(), ...ANYBODY, endpoint: fake.endpoint, forcePathStyle: true });
  return s3ConfigurationStore({ client, bucket: "b", clock: now });
};
const emptyS3 = (): void => {
  fake.objects.clear();
  fake.asked.length = 0;
  fake.fate = () => "serve";
};

configurationStoreContract("S3 by its documented rules", async (now) => {
  emptyS3();
  return [s3Store(now), s3Store(now)];
});

describe("the store of configurations in files", () => {
  it("tells a file that was changed by hand from what was published", async () => {
    const path = await folder();
    const store = fileConfigurationStore(path, clock);
    const { version } = await store.publish(bundle(), "ana");
    const file = join(path, "versions", `${version}.json`);
    await chmod(file, 0o600);
    for (const text of ["", "{}", '{"format":1,"files":[]}', '{"format":2,"files":[["a","b"]]}']) {
      await writeFile(file, text);
      await expect(store.get(version)).rejects.toMatchObject({ code: "store-unavailable" });
    }
    expect(await readdir(path)).toEqual(["history", "versions"]);
  });
});

describe("the store of configurations on S3", () => {
  it("asks for what is in force only whether it is another one", async () => {
    emptyS3();
    const store = s3Store();
    await store.publish(bundle(), "ana");
    await store.current();
    fake.asked.length = 0;
    await store.current();
    expect(fake.asked).toMatchObject([{ key: "current.json", headers: { "if-none-match": expect.any(String) } }]);
  });

  it("has published where only the answer was lost", async () => {
    emptyS3();
    const store = s3Store();
    const lost = new Set<string>();
    fake.fate = ({ method, key }) => {
      if (method !== "PUT" || lost.has(key)) return "serve";
      lost.add(key);
      return "lose-answer";
    };
    const published = await store.publish(bundle(), "ana");
    expect([...lost]).toEqual([`versions/${published.version}.json`, "current.json"]);
    expect(await s3Store().versions(10)).toEqual([published]);
  });

  it("says that it is unavailable where S3 is, or where its objects were changed by hand", async () => {
    emptyS3();
    const store = s3Store();
    const { version } = await store.publish(bundle(), "ana");
    const [current, files] = ["current.json", `versions/${version}.json`].map((key) => fake.objects.get(key));
    if (!current || !files) throw new Error("nothing was kept");
    for (const kept of [current, files]) Object.assign(kept, { body: Buffer.from("[1]"), checksum: undefined });
    await expect(s3Store().current()).rejects.toMatchObject({ code: "store-unavailable" });
    await expect(store.get(version)).rejects.toMatchObject({ code: "store-unavailable" });
    fake.fate = () => ({ status: 403, code: "AccessDenied" });
    for (const ask of [() => store.current(), () => store.get(version), () => store.publish(bundle(), "ana")])
      await expect(ask()).rejects.toMatchObject({ code: "store-unavailable" });
  });
});
