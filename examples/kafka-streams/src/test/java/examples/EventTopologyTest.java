package examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Properties;

import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.TestInputTopic;
import org.apache.kafka.streams.TestOutputTopic;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.test.TestRecord;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EventTopologyTest {
    private static final Topics TOPICS = new Topics("events", "orders", "unique", "counts", "joined");
    private static final Instant START = Instant.parse("2026-01-01T00:00:00Z");

    @TempDir
    private Path state;

    private TopologyTestDriver driver;
    private TestInputTopic<String, byte[]> events;
    private TestInputTopic<String, String> orders;

    @BeforeEach
    void start() {
        var settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, "test");
        settings.put(StreamsConfig.STATE_DIR_CONFIG, state.toString());
        settings.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        driver = new TopologyTestDriver(EventTopology.of(TOPICS), settings, START);
        events = driver.createInputTopic("events", new StringSerializer(), new ByteArraySerializer());
        orders = driver.createInputTopic("orders", new StringSerializer(), new StringSerializer());
    }

    @AfterEach
    void stop() {
        driver.close();
    }

    @Test
    void aMessageThatIsDeliveredAgainIsTakenOnce() {
        deliver("msg_1", "order.paid", Duration.ZERO);
        deliver("msg_2", "order.paid", Duration.ZERO);
        deliver("msg_1", "order.paid", Duration.ofSeconds(5));
        deliver("msg_1", "order.paid", Duration.ofHours(23));
        assertEquals(List.of("msg_1", "msg_2"), keysOf("unique"));
    }

    @Test
    void twoSourcesMayHaveTheSameId() {
        deliver("1", "order.paid", Duration.ZERO, "shop");
        deliver("1", "order.paid", Duration.ZERO, "crm");
        deliver("1", "order.paid", Duration.ZERO, "shop");
        assertEquals(List.of("1", "1"), keysOf("unique"));
    }

    @Test
    void aMessageIsForgottenAfterADay() {
        deliver("msg_1", "order.paid", Duration.ZERO);
        deliver("msg_1", "order.paid", EventTopology.REMEMBERED);
        assertEquals(List.of("msg_1", "msg_1"), keysOf("unique"));
    }

    @Test
    void aRecordThatIsLateIsRememberedAsLongAsAnyOther() {
        deliver("msg_1", "order.paid", Duration.ofDays(3));
        deliver("msg_late", "order.paid", Duration.ZERO);
        deliver("msg_late", "order.paid", Duration.ofDays(3));
        assertEquals(List.of("msg_1", "msg_late"), keysOf("unique"));
    }

    @Test
    void eventsAreCountedByTheirType() {
        deliver("msg_1", "order.paid", Duration.ZERO);
        deliver("msg_2", "attendee.créé", Duration.ZERO);
        deliver("msg_1", "order.paid", Duration.ZERO);
        deliver("msg_3", "order.paid", Duration.ZERO);
        events.pipeInput("msg_4", bytes("{}"), START);
        var counts = output("counts").readKeyValuesToMap();
        assertEquals(Map.of("order.paid", "2", "attendee.créé", "1", "unknown", "1"), counts);
    }

    @Test
    void anEventMeetsTheOrderOfItsKeyWhicheverComesFirst() {
        deliver("msg_1", "order.paid", Duration.ZERO);
        orders.pipeInput("msg_1", "{\"total\":1}", START.plusSeconds(1));
        orders.pipeInput("msg_ü", "{\"total\":2}", START.plusSeconds(2));
        deliver("msg_ü", "order.paid", Duration.ofSeconds(3));
        deliver("msg_ü", "order.paid", Duration.ofSeconds(4));
        deliver("msg_alone", "order.paid", Duration.ofSeconds(5));
        var expected = List.of(
                KeyValue.pair("msg_1", "{\"event\":{},\"order\":{\"total\":1}}"),
                KeyValue.pair("msg_ü", "{\"event\":{},\"order\":{\"total\":2}}"));
        assertEquals(expected, output("joined").readKeyValuesToList());
    }

    @Test
    void anotherKeyBeforeTheJoinIsRefused() {
        var builder = new StreamsBuilder();
        builder.stream("events", Consumed.with(Serdes.String(), Serdes.String()))
                .selectKey((key, value) -> value)
                .groupByKey()
                .count();
        var topology = builder.build();
        assertThrows(IllegalStateException.class, () -> EventTopology.requireCoPartitioned(topology));
    }

    private void deliver(String id, String type, Duration after) {
        deliver(id, type, after, "shop");
    }

    private void deliver(String id, String type, Duration after, String source) {
        var headers = new RecordHeaders().add("ce_type", bytes(type)).add("hookbridge_source", bytes(source));
        events.pipeInput(new TestRecord<>(id, bytes("{}"), headers, START.plus(after)));
    }

    private List<String> keysOf(String topic) {
        return output(topic).readKeyValuesToList().stream().map(record -> record.key).toList();
    }

    private TestOutputTopic<String, String> output(String topic) {
        return driver.createOutputTopic(topic, new StringDeserializer(), new StringDeserializer());
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
