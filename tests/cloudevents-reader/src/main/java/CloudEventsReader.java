import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.cloudevents.CloudEvent;
import io.cloudevents.kafka.CloudEventDeserializer;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Reads all that is in a topic now as CloudEvents, with the SDK's own deserialiser, and prints each as a line of JSON:
 * the record's key, every attribute that it has, every extension, and the data as text.
 */
final class CloudEventsReader {
    private static final Duration GIVE_UP_AFTER = Duration.ofSeconds(30);

    public static void main(String[] arguments) throws Exception {
        var topic = arguments[1];
        var json = new ObjectMapper();
        var out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        Map<String, Object> settings =
                Map.of("bootstrap.servers", arguments[0], "enable.auto.commit", false, "auto.offset.reset", "earliest");
        try (var consumer =
                new KafkaConsumer<>(settings, new StringDeserializer(), new CloudEventDeserializer())) {
            var partitions = consumer.partitionsFor(topic).stream()
                    .map(info -> new TopicPartition(info.topic(), info.partition()))
                    .toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            var ends = consumer.endOffsets(partitions);
            var deadline = Instant.now().plus(GIVE_UP_AFTER);
            while (!partitions.stream().allMatch(at -> consumer.position(at) >= ends.get(at))) {
                if (Instant.now().isAfter(deadline)) {
                    throw new IllegalStateException("the end of " + topic + " was not reached");
                }
                for (var record : consumer.poll(Duration.ofMillis(200))) {
                    out.println(json.writeValueAsString(fields(record.key(), record.value())));
                }
            }
        }
    }

    private static Map<String, Object> fields(String key, CloudEvent event) {
        var fields = new LinkedHashMap<String, Object>();
        fields.put("key", key);
        for (var name : event.getAttributeNames()) {
            fields.put(name, String.valueOf(event.getAttribute(name)));
        }
        for (var name : event.getExtensionNames()) {
            fields.put("extension " + name, String.valueOf(event.getExtension(name)));
        }
        var data = event.getData();
        fields.put("data", data == null ? null : new String(data.toBytes(), StandardCharsets.UTF_8));
        return fields;
    }
}
