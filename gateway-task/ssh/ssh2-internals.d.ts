declare module "ssh2/lib/protocol/utils.js" {
  const utils: {
    /** Encrypts and writes a packet; during a key exchange it waits in the protocol's own queue, unless `bypass` is given. */
    sendPacket(protocol: object, packet: Buffer, bypass?: boolean): boolean;
  };
  export default utils;
}

declare module "ssh2/lib/protocol/crypto.js" {
  const ciphers: {
    /** Whether the library's own ciphers, in C++, could be loaded: they are twice as fast as those of node:crypto. */
    readonly bindingAvailable: boolean;
  };
  export default ciphers;
}
