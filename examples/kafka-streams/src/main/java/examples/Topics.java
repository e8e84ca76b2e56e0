package examples;

import java.util.Properties;

/**
 * The topics, as the properties file names them. None is created here.
 *
 * @param events hookbridge's, in {@code events.topic}
 * @param orders another application's, in {@code orders.topic}: it has the same keys and as many partitions
 * @param unique each event once
 * @param counts how many events there were of each type: the type is the key, the number is text
 * @param joined each event with the order of the same key
 */
public record Topics(String events, String orders, String unique, String counts, String joined) {
    static Topics from(Properties settings) {
        return new Topics(
                name(settings, "events"),
                name(settings, "orders"),
                name(settings, "unique"),
                name(settings, "counts"),
                name(settings, "joined"));
    }

    private static String name(Properties settings, String which) {
        var key = which + ".topic";
        var name = settings.getProperty(key);
        if (name == null || name.isBlank()) {
            throw new IllegalArgumentException("the properties file does not say " + key);
        }
        return name;
    }
}
