/**
 * What can be done to a file of the target, and which action that is. `scp`, `rsync` and `git` stand for what these programs
 * do at the target, by direction: their own protocols say the rest.
 */
export const FILE_OPERATIONS = {
  read: "ssh:read",
  list: "ssh:read",
  stat: "ssh:read",
  readlink: "ssh:read",
  write: "ssh:write",
  remove: "ssh:write",
  rename: "ssh:write",
  mkdir: "ssh:write",
  rmdir: "ssh:write",
  setstat: "ssh:write",
  link: "ssh:write",
} as const;

export type FileOperation = keyof typeof FILE_OPERATIONS;
