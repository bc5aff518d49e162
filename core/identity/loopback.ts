/** Hosts of this machine itself, where http is as safe as https. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

export function isPlainLoopback(url: URL): boolean {
  return url.protocol === "http:" && LOOPBACK.test(url.hostname);
}
