package examples;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Set;
import java.util.TreeSet;

import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.TopologyDescription;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.Record;

/**
 * What is done with the events: each is taken once, counted by its type, and joined with the order of the same key.
 *
 * <p>An event's key is its message ID and its value the body, to the octet. All that is needed of it here, its type, is a
 * header, so that no body has to be read.
 */
public final class EventTopology {
    /** For how long a message is remembered. Providers try again for hours, some for days. */
    public static final Duration REMEMBERED = Duration.ofHours(24);

    /** How far an event and its order may be apart. Both sides are kept for as long. */
    public static final Duration APART = Duration.ofHours(1);

    private static final String BY_TYPE = "by-type";

    private EventTopology() {}

    public static Topology of(Topics topics) {
        var builder = new StreamsBuilder();
        var unique = builder.stream(topics.events(), Consumed.with(Serdes.String(), Serdes.ByteArray()))
                .processValues(new Deduplicate(REMEMBERED));
        unique.to(topics.unique(), Produced.with(Serdes.String(), Serdes.ByteArray()));
        count(unique, topics);
        join(unique, builder.stream(topics.orders(), Consumed.with(Serdes.String(), Serdes.String())), topics);
        return requireCoPartitioned(builder.build());
    }

    private static void count(KStream<String, byte[]> unique, Topics topics) {
        unique.process(TypeAsKey::new)
                .groupByKey(Grouped.with(BY_TYPE, Serdes.String(), Serdes.String()))
                .count(Materialized.as("counts"))
                .toStream()
                .mapValues(count -> Long.toString(count))
                .to(topics.counts(), Produced.with(Serdes.String(), Serdes.String()));
    }

    private static void join(KStream<String, byte[]> events, KStream<String, String> orders, Topics topics) {
        events.join(
                        orders,
                        (event, order) -> "{\"event\":%s,\"order\":%s}"
                                .formatted(new String(event, StandardCharsets.UTF_8), order),
                        JoinWindows.ofTimeDifferenceWithNoGrace(APART),
                        StreamJoined.with(Serdes.String(), Serdes.ByteArray(), Serdes.String())
                                .withName("join")
                                .withStoreName("join"))
                .to(topics.joined(), Produced.with(Serdes.String(), Serdes.String()));
    }

    /**
     * Refuses a topology that would send events through a repartition topic before they meet: hookbridge puts a key
     * where a Java producer does, so there is no need. Counting by type has another key, and needs one.
     *
     * <p>Different numbers of partitions are refused by Kafka Streams itself, when it starts.
     */
    static Topology requireCoPartitioned(Topology topology) {
        Set<String> repartitioned = new TreeSet<>();
        for (var subtopology : topology.describe().subtopologies()) {
            for (var node : subtopology.nodes()) {
                if (node instanceof TopologyDescription.Sink sink && sink.topic().endsWith("-repartition")) {
                    repartitioned.add(sink.topic());
                }
            }
        }
        if (!repartitioned.equals(Set.of(BY_TYPE + "-repartition"))) {
            throw new IllegalStateException("events would be repartitioned through " + repartitioned);
        }
        return topology;
    }

    /** Makes of an event nothing but its type. */
    private static final class TypeAsKey extends ContextualProcessor<String, byte[], String, String> {
        @Override
        public void process(Record<String, byte[]> event) {
            var type = event.headers().lastHeader("ce_type");
            // Only what was not written by hookbridge has none.
            var key = type == null ? "unknown" : new String(type.value(), StandardCharsets.UTF_8);
            context().forward(event.withKey(key).withValue(""));
        }
    }
}
