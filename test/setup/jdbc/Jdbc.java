import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.*;
import java.sql.*;
import java.util.*;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.postgresql.PGConnection;
import org.postgresql.core.BaseConnection;
import org.postgresql.util.PSQLException;

/**
 * Does by PostgreSQL's JDBC driver what it is told on its input, a JSON object a line, and answers each step with a line.
 * Every connection has a thread, so that one may wait while others go on; what is to disturb a step that waits (`cancel`,
 * `warnings`) is done at once.
 */
public final class Jdbc {
  private static final PrintStream ANSWERS = new PrintStream(System.out, true, UTF_8);
  private static final Set<String> AT_ONCE = Set.of("cancel", "warnings");
  private static final Map<String, Jdbc> SESSIONS = new HashMap<>();

  private final ExecutorService thread = Executors.newSingleThreadExecutor();
  private final Map<String, Savepoint> savepoints = new HashMap<>();
  private volatile Connection connection;
  private volatile Statement running;

  public static void main(String[] args) throws IOException {
    var lines = new BufferedReader(new InputStreamReader(System.in, UTF_8));
    for (String line; (line = lines.readLine()) != null; ) {
      var step = new Json(line).object();
      var session = SESSIONS.computeIfAbsent((String) step.get("on"), name -> new Jdbc());
      if (AT_ONCE.contains(step.get("do"))) session.answer(step);
      else session.thread.execute(() -> session.answer(step));
    }
    System.exit(0); // whoever told us is gone, and so is the interest in what still waits
  }

  private void answer(Map<String, Object> step) {
    var answer = new LinkedHashMap<String, Object>();
    answer.put("id", step.get("id"));
    try {
      take(step, answer);
    } catch (SQLException failed) {
      answer.put("error", described(failed));
    } catch (IOException | RuntimeException broken) {
      answer.put("broken", broken.toString());
    }
    if (!AT_ONCE.contains(step.get("do"))) answer.put("transaction", transaction());
    synchronized (ANSWERS) {
      ANSWERS.println(Json.text(answer));
    }
  }

  /** The driver's own view of it, which it tells nobody while a statement runs. */
  private String transaction() {
    try {
      return connection == null ? "CLOSED" : connection.unwrap(BaseConnection.class).getTransactionState().name();
    } catch (SQLException closed) {
      return "CLOSED";
    }
  }

  private void take(Map<String, Object> step, Map<String, Object> answer) throws SQLException, IOException {
    var sql = (String) step.get("sql");
    switch ((String) step.get("do")) {
      case "connect" -> connect(step, answer);
      case "run" -> run(sql, step, answer);
      case "batch" -> batch(sql, list(step, "rows"), answer);
      case "copyIn" -> {
        var bytes = Base64.getDecoder().decode((String) step.get("data"));
        var copy = connection.unwrap(PGConnection.class).getCopyAPI();
        answer.put("count", copy.copyIn(sql, new ByteArrayInputStream(bytes)));
      }
      case "copyOut" -> {
        var bytes = new ByteArrayOutputStream();
        answer.put("count", connection.unwrap(PGConnection.class).getCopyAPI().copyOut(sql, bytes));
        answer.put("data", Base64.getEncoder().encodeToString(bytes.toByteArray()));
      }
      case "autoCommit" -> connection.setAutoCommit((Boolean) step.get("value"));
      case "commit" -> connection.commit();
      case "rollback" -> connection.rollback();
      case "savepoint" -> savepoints.put(sql, connection.setSavepoint(sql));
      case "rollbackTo" -> connection.rollback(savepoints.get(sql));
      case "cancel" -> cancel();
      case "warnings" -> answer.put("warnings", running == null ? List.of() : described(running.getWarnings()));
      case "close" -> connection.close();
      default -> throw new IllegalArgumentException("there is no such step: " + step);
    }
  }

  /** A COPY is no Statement's. */
  private void cancel() throws SQLException {
    if (running == null) connection.unwrap(PGConnection.class).cancelQuery();
    else running.cancel();
  }

  private void connect(Map<String, Object> step, Map<String, Object> answer) throws SQLException {
    var properties = new Properties();
    properties.putAll((Map<?, ?>) step.get("properties"));
    connection = DriverManager.getConnection((String) step.get("url"), properties);
    answer.put("warnings", described(connection.getWarnings()));
  }

  private void run(String sql, Map<String, Object> step, Map<String, Object> answer) throws SQLException {
    var parameters = list(step, "parameters");
    try (var statement = parameters == null ? connection.createStatement() : connection.prepareStatement(sql)) {
      if (step.get("fetchSize") instanceof Long size) statement.setFetchSize(size.intValue());
      if (step.get("timeoutSeconds") instanceof Long seconds) statement.setQueryTimeout(seconds.intValue());
      running = statement;
      try {
        var results = new ArrayList<Object>();
        answer.put("results", results);
        if (parameters != null) bind((PreparedStatement) statement, parameters);
        var rows = statement instanceof PreparedStatement bound ? bound.execute() : statement.execute(sql);
        for (; rows || statement.getUpdateCount() != -1; rows = statement.getMoreResults()) {
          if (rows) results.add(read(statement.getResultSet(), step.get("take")));
          else results.add(Map.of("count", (long) statement.getUpdateCount()));
        }
      } finally {
        answer.put("warnings", described(statement.getWarnings()));
        running = null;
      }
    }
  }

  private void batch(String sql, List<Object> rows, Map<String, Object> answer) throws SQLException {
    try (var statement = sql == null ? connection.createStatement() : connection.prepareStatement(sql)) {
      for (var row : rows) {
        if (statement instanceof PreparedStatement bound) {
          bind(bound, asList(row));
          bound.addBatch();
        } else statement.addBatch((String) row);
      }
      running = statement;
      try {
        answer.put("counts", numbers(statement.executeBatch()));
      } finally {
        answer.put("warnings", described(statement.getWarnings()));
        running = null;
      }
    }
  }

  private static void bind(PreparedStatement statement, List<Object> parameters) throws SQLException {
    for (int at = 0; at < parameters.size(); at++) statement.setObject(at + 1, parameters.get(at));
  }

  private static Map<String, Object> read(ResultSet result, Object take) throws SQLException {
    var described = result.getMetaData();
    var columns = new ArrayList<Object>();
    for (int at = 1; at <= described.getColumnCount(); at++) {
      columns.add(described.getColumnLabel(at) + ":" + JDBCType.valueOf(described.getColumnType(at)));
    }
    var rows = new ArrayList<Object>();
    while ((take == null || rows.size() < (Long) take) && result.next()) {
      var row = new ArrayList<Object>();
      for (int at = 1; at <= columns.size(); at++) row.add(text(result, at, described.getColumnType(at)));
      rows.add(row);
    }
    return Map.of("columns", columns, "rows", rows);
  }

  /** The driver's own text of a bytea that came in binary is a Java object's address. */
  private static String text(ResultSet result, int at, int type) throws SQLException {
    if (type != Types.BINARY) return result.getString(at);
    var bytes = result.getBytes(at);
    return bytes == null ? null : HexFormat.of().formatHex(bytes);
  }

  private static Map<String, Object> described(SQLException failed) {
    var first = failed instanceof BatchUpdateException && failed.getNextException() != null ? failed.getNextException() : failed;
    var server = first instanceof PSQLException said ? said.getServerErrorMessage() : null;
    var error = new LinkedHashMap<String, Object>();
    error.put("state", failed.getSQLState());
    error.put("message", server == null ? failed.getMessage() : server.getMessage());
    error.put("severity", server == null ? null : server.getSeverity());
    error.put("detail", server == null ? null : server.getDetail());
    error.put("hint", server == null ? null : server.getHint());
    if (failed instanceof BatchUpdateException batch) error.put("counts", numbers(batch.getUpdateCounts()));
    return error;
  }

  private static List<Object> described(SQLWarning first) {
    var list = new ArrayList<Object>();
    for (var warning = first; warning != null; warning = warning.getNextWarning()) {
      list.add(Map.of("state", warning.getSQLState(), "message", warning.getMessage()));
    }
    return list;
  }

  private static List<Object> numbers(int[] counts) {
    var list = new ArrayList<Object>();
    for (int count : counts) list.add((long) count);
    return list;
  }

  private static List<Object> list(Map<String, Object> step, String name) {
    return step.get(name) == null ? null : asList(step.get(name));
  }

  @SuppressWarnings("unchecked")
  private static List<Object> asList(Object value) {
    return (List<Object>) value;
  }

  /** JSON (RFC 8259) as JSON.stringify writes it: objects, lists, strings, whole numbers, booleans, null. */
  private static final class Json {
    private final String text;
    private int at;

    Json(String text) {
      this.text = text;
    }

    Map<String, Object> object() {
      var members = new LinkedHashMap<String, Object>();
      at++;
      while (text.charAt(at) != '}') {
        if (text.charAt(at) == ',') at++;
        var name = string();
        at++; // the colon
        members.put(name, value());
      }
      at++;
      return members;
    }

    private Object value() {
      return switch (text.charAt(at)) {
        case '{' -> object();
        case '[' -> list();
        case '"' -> string();
        case 't' -> word("true", true);
        case 'f' -> word("false", false);
        case 'n' -> word("null", null);
        default -> number();
      };
    }

    private List<Object> list() {
      var items = new ArrayList<Object>();
      at++;
      while (text.charAt(at) != ']') {
        if (text.charAt(at) == ',') at++;
        items.add(value());
      }
      at++;
      return items;
    }

    private Object word(String word, Object meaning) {
      at += word.length();
      return meaning;
    }

    private Long number() {
      int from = at;
      while ("-0123456789".indexOf(text.charAt(at)) >= 0) at++;
      return Long.valueOf(text.substring(from, at));
    }

    private String string() {
      var made = new StringBuilder();
      for (at++; text.charAt(at) != '"'; at++) {
        if (text.charAt(at) != '\\') made.append(text.charAt(at));
        else made.append(escaped());
      }
      at++;
      return made.toString();
    }

    private char escaped() {
      char kind = text.charAt(++at);
      if (kind != 'u') return "\"\\/\b\f\n\r\t".charAt("\"\\/bfnrt".indexOf(kind));
      at += 4;
      return (char) Integer.parseInt(text.substring(at - 3, at + 1), 16);
    }

    static String text(Object value) {
      if (value instanceof Map<?, ?> members) {
        return joined("{", members.entrySet().stream().map(one -> text(one.getKey()) + ":" + text(one.getValue())).toList(), "}");
      }
      if (value instanceof List<?> items) return joined("[", items.stream().map(Json::text).toList(), "]");
      if (value instanceof String string) return quoted(string);
      return String.valueOf(value);
    }

    private static String joined(String open, List<String> parts, String close) {
      return open + String.join(",", parts) + close;
    }

    private static String quoted(String string) {
      var made = new StringBuilder("\"");
      for (char one : string.toCharArray()) {
        if (one == '"' || one == '\\' || one < ' ') made.append(String.format("\\u%04x", (int) one));
        else made.append(one);
      }
      return made.append('"').toString();
    }
  }
}
