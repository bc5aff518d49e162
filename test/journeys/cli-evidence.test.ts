import { chmod, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newestClosed, type Product, startProduct, type Terminal } from "../setup/product.ts";

let product: Product;
let terminal: Terminal;
let session: string;
let folder: string;

beforeAll(async () => {
  product = await startProduct();
  terminal = await product.terminal();
  await terminal.signIn("alice");
  const ran = await terminal.sallyport(["psql", "shop", "--", "-X", "-c", "select 'evidence'"]);
  expect(ran).toMatchObject({ status: 0 });
  session = (await newestClosed(await product.as("alice"))).id;
  folder = join(product.directory, "exported");
});
afterAll(async () => product?.close());

const objects = (state: string): Promise<string[]> => readdir(join(state, session)).then((names) => names.toSorted());

describe("evidence that is taken away", () => {
  test("is exported by whoever may see the session, byte for byte, as often as one likes", async () => {
    for (let times = 0; times < 2; times++) {
      const { text, status } = await terminal.sallyport(["export", session, folder, "--json"]);
      expect(status).toBe(0);
      expect(JSON.parse(text)).toEqual({
        session,
        folder: join(folder, session),
        keys: join(folder, "signing-keys.json"),
        chunks: 1,
      });
    }
    const kept = join(product.directory, "state", "recordings");
    expect(await objects(folder)).toEqual(["00000000.chunk", "manifest.jws"]);
    for (const name of await objects(kept))
      expect(await readFile(join(folder, session, name))).toEqual(await readFile(join(kept, session, name)));
    const stranger = await product.terminal();
    await stranger.signIn("bob");
    expect(await stranger.sallyport(["export", session, join(folder, "bob")])).toMatchObject({ status: 4 });
  });

  test("is exported as far as it is there, and what is missing is named", async () => {
    const chunk = join(product.directory, "state", "recordings", session, "00000000.chunk");
    await rename(chunk, `${chunk}.away`);
    const partial = join(product.directory, "partial");
    const { status, stderr } = await terminal.sallyport(["export", session, partial]);
    await rename(`${chunk}.away`, chunk);
    expect([status, stderr]).toEqual([1, expect.stringContaining("chunk 0 is not in the server's store")]);
    expect(await objects(partial)).toEqual(["manifest.jws"]);
  });

  test.each([
    [["verify"], 2, "which session?"],
    [["verify", "x", "--key", "k"], 2, "--key goes with --files"],
    [["verify", "--files", "."], 2, "--files needs --key"],
    [["verify", "--files", ".", "--key", "/nowhere"], 1, "is not there"],
  ])("sallyport %j ends with status %i and says why", async (args, status, why) => {
    const ran = await terminal.sallyport(args);
    expect([ran.status, ran.stderr]).toEqual([status, expect.stringContaining(why)]);
  });

  test("is proven with the server down, and with one bit changed is not: status 1, the fault named", async () => {
    await product.running.close();
    const key = join(folder, "signing-keys.json");
    const whole = await terminal.sallyport(["verify", "--files", folder, "--key", key]);
    expect([whole.status, whole.text, whole.stderr]).toEqual([0, expect.stringContaining(`${session} is whole`), ""]);

    const file = join(folder, session, "00000000.chunk");
    const bytes = await readFile(file);
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
    await chmod(file, 0o600);
    await writeFile(file, bytes);
    const fault = { kind: "chunk-unreadable", chunk: 0, message: expect.stringContaining("chunk 0 cannot be read") };
    const args = ["verify", session, "--files", join(folder, session), "--key", key];
    const changed = await terminal.sallyport([...args, "--json"]);
    expect(changed.status).toBe(1);
    const told = { session, live: false, ok: false, chunks: 0, frames: 0, head: null, fault };
    expect(JSON.parse(changed.text)).toEqual({ ok: false, sessions: [told] });
    const shown = await terminal.sallyport(args);
    expect([shown.status, shown.text]).toEqual([1, expect.stringContaining("CANNOT BE TRUSTED: chunk 0 cannot be")]);
  });
});
