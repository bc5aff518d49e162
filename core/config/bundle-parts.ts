import { parse } from "yaml";
import { BUNDLE_FILES, type BundleFiles } from "./bundle-files.ts";
import { type Connections, parseConnections } from "./connections.ts";
import { type Directory, parseDirectory } from "./directory.ts";
import { NO_SERVICES, parseServices, type Services } from "./services.ts";

/** The text of `connections.yaml`. Throws `configuration-invalid`, or the parser's error. */
export function parseConnectionsText(text: string): Connections {
  return parseConnections(parse(text));
}

/** The text of `directory.yaml`; an empty one knows nobody. Throws `configuration-invalid`, or the parser's error. */
export function parseDirectoryText(text: string): Directory {
  return parseDirectory(parse(text) ?? { people: [] });
}

/** The text of `services.yaml`; an empty one trusts none. Throws `configuration-invalid`, or the parser's error. */
function parseServicesText(text: string): Services {
  return parseServices(parse(text) ?? {});
}

/** The connections of a configuration that was published, and so is valid; none where none was published yet. */
export function connectionsIn(files: BundleFiles): Connections {
  const text = files.get(BUNDLE_FILES.connections);
  return text === undefined ? new Map() : parseConnectionsText(text);
}

/** Whom such a configuration knows before they sign in. */
export function directoryIn(files: BundleFiles): Directory {
  const text = files.get(BUNDLE_FILES.directory);
  return text === undefined ? [] : parseDirectoryText(text);
}

/** Whose tokens and AWS identities such a configuration exchanges for passes. */
export function servicesIn(files: BundleFiles): Services {
  const text = files.get(BUNDLE_FILES.services);
  return text === undefined ? NO_SERVICES : parseServicesText(text);
}
