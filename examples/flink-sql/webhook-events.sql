-- Each webhook once, joined with the order of the same key, and counted by type.

-- For how long a message, and either side of the join, is remembered. Without this the state grows for ever.
SET 'table.exec.state.ttl' = '24 h';

-- What is written becomes visible with each checkpoint.
SET 'execution.checkpointing.interval' = '1 s';

SET 'parallelism.default' = '2';

-- hookbridge's topic: the key is the message ID, the value the body to the octet, all else is in headers.
CREATE TABLE events (
    message_id STRING,
    body STRING,
    headers MAP<STRING, BYTES> METADATA VIRTUAL,
    read_at AS PROCTIME()
) WITH (
    'connector' = 'kafka',
    'properties.bootstrap.servers' = '${BOOTSTRAP}',
    'properties.group.id' = '${NAME}',
    'topic' = '${EVENTS}',
    'scan.startup.mode' = 'earliest-offset',
    'key.format' = 'raw',
    'key.fields' = 'message_id',
    'value.format' = 'raw',
    'value.fields-include' = 'EXCEPT_KEY'
);

-- Another application's topic, with the same keys.
CREATE TABLE orders (
    message_id STRING,
    body STRING
) WITH (
    'connector' = 'kafka',
    'properties.bootstrap.servers' = '${BOOTSTRAP}',
    'properties.group.id' = '${NAME}',
    'topic' = '${ORDERS}',
    'scan.startup.mode' = 'earliest-offset',
    'key.format' = 'raw',
    'key.fields' = 'message_id',
    'value.format' = 'raw',
    'value.fields-include' = 'EXCEPT_KEY'
);

-- Of all deliveries of a message the one that is read first. IDs are unique for a sender, so the source counts too. By the time of reading, because then a row once given is
-- never taken back, so that what follows can be appended to any topic.
CREATE VIEW unique_events AS
SELECT message_id, body, CAST(headers['ce_type'] AS STRING) AS event_type
FROM (
    SELECT
        *,
        ROW_NUMBER() OVER (PARTITION BY headers['hookbridge_source'], message_id ORDER BY read_at) AS delivery
    FROM events
)
WHERE delivery = 1;

CREATE TABLE joined (
    message_id STRING,
    event_type STRING,
    event STRING,
    `order` STRING
) WITH (
    'connector' = 'kafka',
    'properties.bootstrap.servers' = '${BOOTSTRAP}',
    -- The broker allows 15 minutes; the connector asks for an hour.
    'properties.transaction.timeout.ms' = '600000',
    'topic' = '${JOINED}',
    'key.format' = 'raw',
    'key.fields' = 'message_id',
    'value.format' = 'json',
    'sink.delivery-guarantee' = 'exactly-once',
    'sink.transactional-id-prefix' = '${NAME}-joined'
);

-- The latest count of each type, by its key.
CREATE TABLE counts (
    event_type STRING,
    events BIGINT,
    PRIMARY KEY (event_type) NOT ENFORCED
) WITH (
    'connector' = 'upsert-kafka',
    'properties.bootstrap.servers' = '${BOOTSTRAP}',
    'properties.transaction.timeout.ms' = '600000',
    'topic' = '${COUNTS}',
    'key.format' = 'raw',
    'value.format' = 'json',
    'sink.delivery-guarantee' = 'exactly-once',
    'sink.transactional-id-prefix' = '${NAME}-counts'
);

EXECUTE STATEMENT SET
BEGIN
    INSERT INTO joined
    SELECT e.message_id, e.event_type, e.body, o.body
    FROM unique_events AS e
    JOIN orders AS o ON o.message_id = e.message_id;

    INSERT INTO counts
    SELECT event_type, COUNT(*)
    FROM unique_events
    GROUP BY event_type;
END;
