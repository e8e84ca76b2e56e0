package examples;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Set;

import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.processor.api.FixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorContext;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorSupplier;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowStore;

/**
 * Lets the first record of each message pass, and forgets a message when it has been remembered for long enough.
 *
 * <p>All deliveries of a message have one key, so they are in one partition and meet the same store: that is why this
 * needs no repartitioning. IDs are unique for a sender, so the source counts too. Messages are remembered by stream time, the largest timestamp seen so far, not by their own: a late
 * record is remembered as long as any other, and what is remembered is bounded by what arrives in that time, whatever
 * the clock of this machine says and however fast old records are read.
 *
 * @param remembered for how long, in stream time
 */
public record Deduplicate(Duration remembered) implements FixedKeyProcessorSupplier<String, byte[], byte[]> {
    private static final String STORE = "seen";

    private static final byte[] NOTHING = {};

    @Override
    public Set<StoreBuilder<?>> stores() {
        // The store drops a whole segment of old keys at once, which costs far less than deleting each.
        var store = Stores.persistentWindowStore(STORE, remembered, remembered, false);
        return Set.of(Stores.windowStoreBuilder(store, Serdes.String(), Serdes.ByteArray()));
    }

    @Override
    public FixedKeyProcessor<String, byte[], byte[]> get() {
        return new FixedKeyProcessor<>() {
            private FixedKeyProcessorContext<String, byte[]> context;
            private WindowStore<String, byte[]> seen;

            @Override
            public void init(FixedKeyProcessorContext<String, byte[]> context) {
                this.context = context;
                this.seen = context.getStateStore(STORE);
            }

            @Override
            public void process(FixedKeyRecord<String, byte[]> event) {
                var now = context.currentStreamTimeMs();
                var message = source(event) + '/' + event.key();
                if (isSeen(message, now)) {
                    return;
                }
                seen.put(message, NOTHING, now);
                context.forward(event);
            }

            private static String source(FixedKeyRecord<String, byte[]> event) {
                // The name of a source has no slash.
                var source = event.headers().lastHeader("hookbridge_source");
                return source == null ? "" : new String(source.value(), StandardCharsets.UTF_8);
            }

            private boolean isSeen(String message, long now) {
                try (var times = seen.fetch(message, Math.max(0, now - remembered.toMillis() + 1), now)) {
                    return times.hasNext();
                }
            }
        };
    }
}
