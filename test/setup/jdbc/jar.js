/** PostgreSQL's JDBC driver: where Debian's package puts it, unless this machine says otherwise. */
export const JDBC_JAR = process.env["POSTGRESQL_JDBC_JAR"] ?? "/usr/share/java/postgresql.jar";
