// The library is CommonJS: Node finds none of these by name, the default export alone.

declare module "ssh2/lib/protocol/utils.js" {
  const utils: {
    /** Encrypts and writes a packet; during a key exchange it waits in the protocol's own queue, unless `bypass` is given. */
    readonly sendPacket: (protocol: object, packet: Buffer, bypass?: boolean) => boolean;
  };
  export default utils;
}

declare module "ssh2/lib/protocol/crypto.js" {
  const crypto: {
    /** Whether the library's own ciphers, in C++, could be loaded: they are twice as fast as those of node:crypto. */
    readonly bindingAvailable: boolean;
  };
  export default crypto;
}

declare module "ssh2/lib/protocol/constants.js" {
  const constants: {
    /** Names of key exchanges that may be offered; the very list that is looked at. */
    readonly SUPPORTED_KEX: string[];
    /** The same of what a host key signs by. */
    readonly SUPPORTED_SERVER_HOST_KEY: string[];
  };
  export default constants;
}
