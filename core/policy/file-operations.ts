/** What can be done to a file of the target, and which action that is. */
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

export function isFileOperation(name: string): name is FileOperation {
  return Object.hasOwn(FILE_OPERATIONS, name);
}
