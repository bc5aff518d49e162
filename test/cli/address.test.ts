import { describe, expect, test } from "vitest";
import { clientHost, isLoopbackHost, listenFault, parseAddress, showAddress } from "../../cli/address.ts";
import { SallyportError } from "../../core/errors.ts";

describe("an address to listen on", () => {
  test.each([
    ["6432", { host: "127.0.0.1", port: 6432 }],
    ["0", { host: "127.0.0.1", port: 0 }],
    ["0.0.0.0:6432", { host: "0.0.0.0", port: 6432 }],
    ["[::1]:65535", { host: "::1", port: 65_535 }],
    ["gateway.example:1", { host: "gateway.example", port: 1 }],
  ])("%s is read, and shown so that it can be read again", (text, address) => {
    expect(parseAddress(text, "--listen")).toEqual(address);
    expect(parseAddress(showAddress(address), "--listen")).toEqual(address);
  });

  test.each([
    "",
    ":",
    "x",
    "65536",
    "127.0.0.1:",
    ":6432",
    "::1:6432",
    "[::1]",
    "a b:1",
    "-x:1",
    "[1.2.3]:1",
    "h:1:2",
    "h:+1",
    "h:1e3",
  ])("%j is refused, by the name of its option", (text) => {
    expect(() => parseAddress(text, "--http")).toThrow(expect.objectContaining({ code: "bad-request", message: expect.stringMatching(/^--http must be /) })); // prettier-ignore
  });

  test("only addresses that others cannot reach count as this machine's own", () => {
    for (const host of ["localhost", "127.0.0.1", "127.255.0.3", "::1"]) expect(isLoopbackHost(host)).toBe(true);
    for (const host of ["0.0.0.0", "::", "10.0.0.1", "127.0.0.1.example.com", "localhost.example"])
      expect(isLoopbackHost(host)).toBe(false);
  });

  test("clients are told a name that reaches it", () => {
    expect(["127.0.0.1", "::1", "0.0.0.0", "::"].map(clientHost)).toEqual(Array(4).fill("localhost"));
    expect(["127.0.0.2", "10.1.2.3", "gateway.example"].map(clientHost)).toEqual(["127.0.0.2", "10.1.2.3", "gateway.example"]); // prettier-ignore
  });

  test("what keeps a server from listening is told with the option that helps; other faults stay as they are", () => {
    const address = { host: "127.0.0.1", port: 80 };
    for (const code of ["EADDRINUSE", "EACCES", "EADDRNOTAVAIL"]) {
      const fault = listenFault(Object.assign(new Error(code), { code }), address, "--http");
      expect(fault).toBeInstanceOf(SallyportError);
      expect(fault).toMatchObject({ code: "conflict", hint: "Give another one with --http." });
    }
    const other = new Error("other");
    expect(listenFault(other, address, "--http")).toBe(other);
  });
});
