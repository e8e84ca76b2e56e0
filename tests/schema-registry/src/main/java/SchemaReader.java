import com.google.protobuf.CodedInputStream;
import com.google.protobuf.DynamicMessage;
import io.apicurio.registry.serde.SerdeConfig;
import io.apicurio.registry.serde.avro.AvroKafkaDeserializer;
import io.apicurio.registry.serde.config.IdOption;
import io.apicurio.registry.serde.jsonschema.JsonSchemaKafkaDeserializer;
import io.apicurio.registry.serde.protobuf.ProtobufSchemaParser;
import java.net.URI;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Reads every record that a topic of one partition holds now, with the registry's own deserialiser, and prints key and value,
 * a tab between them, one record a line.
 *
 * Arguments: bootstrap servers, the registry's URL, the topic, and json, avro or protobuf.
 */
public final class SchemaReader {
  public static void main(String[] arguments) {
    String bootstrap = arguments[0], registry = arguments[1], topic = arguments[2], format = arguments[3];
    Map<String, Object> serde = new HashMap<>();
    serde.put(SerdeConfig.REGISTRY_URL, registry);
    // The wire format's four octets are the registry's content ID, as Confluent's API gives it.
    serde.put(SerdeConfig.ENABLE_CONFLUENT_ID_HANDLER, true);
    serde.put(SerdeConfig.USE_ID, IdOption.contentId.name());
    Deserializer<?> values =
        switch (format) {
          case "json" -> new JsonSchemaKafkaDeserializer<>();
          case "avro" -> new AvroKafkaDeserializer<>();
          case "protobuf" -> new ConfluentProtobuf(registry);
          default -> throw new IllegalArgumentException(format);
        };
    values.configure(serde, false);

    Map<String, Object> properties = Map.of("bootstrap.servers", bootstrap, "auto.offset.reset", "earliest");
    try (var consumer = new KafkaConsumer<>(properties, new StringDeserializer(), values)) {
      var partition = new TopicPartition(topic, 0);
      consumer.assign(List.of(partition));
      consumer.seekToBeginning(List.of(partition));
      long end = consumer.endOffsets(List.of(partition)).get(partition);
      while (consumer.position(partition) < end) {
        for (var record : consumer.poll(Duration.ofSeconds(1))) {
          System.out.println(record.key() + "\t" + String.valueOf(record.value()).replaceAll("\\s+", " "));
        }
      }
    }
  }

  /**
   * Protobuf in Confluent's wire format, with the registry's own schema parser. Its own deserialiser puts another message
   * of its own before the payload, and reads nothing else.
   */
  private record ConfluentProtobuf(String registry) implements Deserializer<DynamicMessage> {
    @Override
    public DynamicMessage deserialize(String topic, byte[] value) {
      try {
        var in = CodedInputStream.newInstance(value);
        if (in.readRawByte() != 0) {
          throw new IllegalArgumentException("no wire format");
        }
        int id = ByteBuffer.wrap(in.readRawBytes(4)).getInt();
        List<Integer> indexes = new ArrayList<>();
        for (int count = in.readSInt32(); count > 0; count--) {
          indexes.add(in.readSInt32());
        }
        if (indexes.isEmpty()) {
          indexes.add(0);
        }
        byte[] schema = new URI(registry + "/ids/contentIds/" + id + "/").toURL().openStream().readAllBytes();
        var file = new ProtobufSchemaParser<>().parseSchema(schema, Map.of()).getFileDescriptor();
        var type = file.getMessageTypes().get(indexes.get(0));
        for (int index : indexes.subList(1, indexes.size())) {
          type = type.getNestedTypes().get(index);
        }
        return DynamicMessage.parseFrom(type, in);
      } catch (Exception error) {
        throw new IllegalStateException(error);
      }
    }
  }

  private SchemaReader() {}
}
