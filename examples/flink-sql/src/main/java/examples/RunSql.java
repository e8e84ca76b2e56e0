package examples;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;

/**
 * Runs a file of Flink SQL in this process, until the job in it ends or fails.
 *
 * <p>A statement ends with a semicolon before an empty line, and the next begins at the start of a line. {@code ${NAME}}
 * stands for an environment variable, {@code --} at the start of a line for a comment.
 */
public final class RunSql {
    private static final Pattern END_OF_STATEMENT = Pattern.compile(";\\h*\\n\\h*\\n(?=\\S)|;\\s*\\z");
    private static final Pattern COMMENT = Pattern.compile("^\\h*--.*\\n?", Pattern.MULTILINE);
    private static final Pattern VARIABLE = Pattern.compile("\\$\\{(\\w+)}");
    private static final Pattern SET = Pattern.compile("SET\\s+'([^']*)'\\s*=\\s*'([^']*)'");

    private RunSql() {}

    public static void main(String[] arguments) throws Exception {
        if (arguments.length != 1) {
            System.err.println("usage: java -jar flink-sql.jar FILE.sql");
            System.exit(2);
        }
        var tables = TableEnvironment.create(EnvironmentSettings.inStreamingMode());
        for (var statement : statements(Path.of(arguments[0]))) {
            var set = SET.matcher(statement);
            if (set.matches()) {
                // The SQL client does this; the API has no statement for it.
                tables.getConfig().set(set.group(1), set.group(2));
            } else {
                tables.executeSql(statement).await();
            }
        }
    }

    private static Iterable<String> statements(Path file) throws IOException {
        var text = COMMENT.matcher(Files.readString(file)).replaceAll("");
        var filledIn = VARIABLE.matcher(text).replaceAll(RunSql::variable);
        return END_OF_STATEMENT.splitAsStream(filledIn).map(String::strip).filter(part -> !part.isEmpty())::iterator;
    }

    private static String variable(MatchResult place) {
        var value = System.getenv(place.group(1));
        if (value == null) {
            throw new IllegalArgumentException("the environment variable " + place.group(1) + " is not set");
        }
        // It is put into a literal.
        return Matcher.quoteReplacement(value.replace("'", "''"));
    }
}
