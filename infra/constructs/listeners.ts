/** What clients connect to; the same port on the balancer and on the task. */
export const LISTENERS = [
  { name: "postgres", port: 5432 },
  { name: "ssh", port: 2222 },
  /** For networks that let nothing out but TLS: what is spoken in it, ALPN says. */
  { name: "tls", port: 8443 },
] as const;
