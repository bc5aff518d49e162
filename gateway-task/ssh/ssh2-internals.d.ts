declare module "ssh2/lib/protocol/utils.js" {
  /** Encrypts and writes a packet; during a key exchange it waits in the protocol's own queue, unless `bypass` is given. */
  export function sendPacket(protocol: object, packet: Buffer, bypass?: boolean): boolean;
}

declare module "ssh2/lib/protocol/crypto.js" {
  /** Whether the library's own ciphers, in C++, could be loaded: they are twice as fast as those of node:crypto. */
  export const bindingAvailable: boolean;
}
