import type { Instant } from "../brand.ts";

/** The time, injected so that decisions can be tested at any hour. */
export type Clock = () => Instant;
