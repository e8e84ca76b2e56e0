package examples;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;

import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;

/**
 * Runs {@link EventTopology} with a properties file: Kafka Streams's own settings, and the names of the topics.
 * SIGTERM ends it in order, with exit code 0; a fault that no retry heals, with 1.
 */
public final class WebhookEvents {
    private static final Duration CLOSE_WITHIN = Duration.ofSeconds(20);

    private WebhookEvents() {}

    public static void main(String[] arguments) throws IOException, InterruptedException {
        if (arguments.length != 1) {
            System.err.println("usage: java -jar webhook-events.jar FILE.properties");
            System.exit(2);
        }
        var settings = settings(Path.of(arguments[0]));
        var topology = EventTopology.of(Topics.from(settings));

        var streams = new KafkaStreams(topology, settings);
        var ended = new CountDownLatch(1);
        // A fault that is not handled ends the process, so that whoever runs it sees it. The next one goes on where the
        // last transaction ended.
        streams.setUncaughtExceptionHandler(fault -> StreamThreadExceptionResponse.SHUTDOWN_CLIENT);
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.ERROR) {
                ended.countDown();
            }
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            var isClosed = streams.close(CLOSE_WITHIN);
            // Java's own exit code after SIGTERM is 143, whatever was put in order.
            Runtime.getRuntime().halt(isClosed && ended.getCount() > 0 ? 0 : 1);
        }));
        streams.start();
        ended.await();
        System.exit(1);
    }

    private static Properties settings(Path file) throws IOException {
        var settings = new Properties();
        // Counts are right only if an event and what came of it are committed together.
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        // A new group begins with the oldest event, not with the next.
        settings.put("auto.offset.reset", "earliest");
        try (InputStream text = Files.newInputStream(file)) {
            settings.load(text);
        }
        return settings;
    }
}
