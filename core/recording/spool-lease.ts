/** A task whose lease nobody has seen renewed for this long is dead: another one takes its spool. */
export const LEASE_TTL_MS = 15_000;

/** The name of a task's lease on its spool. */
export const spoolLease = (task: string): string => `spool/${task}`;
