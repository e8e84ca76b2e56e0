"""Counts hookbridge's events by type, each message once, with Spark's structured streaming.

Takes one or more topics. Gives every message once, as JSON lines in a directory for each batch below `results/events`,
and the number of messages of each type in `results/counts.json`. Repeats are dropped for as long as `--window` says,
and their keys kept no longer. A job that is killed goes on from its checkpoints, as if nothing had happened: every
batch has the same records again, and overwrites what it had written.
"""

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sql

# Written before it is renamed: a reader never sees half of it.
_DRAFT = ".counts.json.draft"


def events(spark: SparkSession, bootstrap: str, topics: str, window: str) -> DataFrame:
    """Each message of the topics once."""
    records = (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", bootstrap)
        .option("subscribe", topics)
        .option("startingOffsets", "earliest")
        .option("includeHeaders", "true")
        # At a first start there may be much: it is worked off in steps, so that memory is bounded.
        .option("maxOffsetsPerTrigger", 100_000)
        # A record that Kafka's retention took away unread is an error, not something to pass over in silence.
        .option("failOnDataLoss", "true")
        .load()
    )

    def header(name: str) -> sql.Column:
        of_name = sql.filter("headers", lambda one: one["key"] == name)
        return sql.decode(sql.get(of_name, sql.lit(0))["value"], "UTF-8")

    return (
        records.select(
            sql.decode("key", "UTF-8").alias("key"),
            header("ce_type").alias("type"),
            header("hookbridge_source").alias("source"),
            header("hookbridge_verification").alias("verification"),
            # When hookbridge received it. A time that the sender names may be any, and one of tomorrow would have
            # everything else of today dropped as late.
            sql.col("timestamp").alias("received_at"),
            sql.decode("value", "UTF-8").alias("value"),
        )
        .where("key is not null and (verification is null or verification = 'not_repeated')")
        .drop("verification")
        .withWatermark("received_at", window)
        .dropDuplicatesWithinWatermark(["source", "key"])
    )


def write_events(directory: Path) -> Callable[[DataFrame, int], None]:
    """A directory for each batch; Spark puts `_SUCCESS` into it once it is whole."""

    def write(batch: DataFrame, number: int) -> None:
        if not batch.isEmpty():
            batch.write.mode("overwrite").json(str(directory / f"batch={number}"))

    return write


def write_counts(directory: Path) -> Callable[[DataFrame, int], None]:
    """One file, replaced as a whole."""

    def write(counts: DataFrame, _batch: int) -> None:
        by_type = {row["type"]: row["count"] for row in counts.collect()}
        (directory / _DRAFT).write_text(json.dumps(by_type, sort_keys=True), encoding="utf-8")
        os.replace(directory / _DRAFT, directory / "counts.json")

    return write


def main() -> None:
    parser = argparse.ArgumentParser(description="Counts hookbridge's events by type, each message once.")
    parser.add_argument("--bootstrap", default="localhost:9092", help="Kafka's addresses")
    parser.add_argument("--topics", required=True, help="the topics, separated by commas")
    parser.add_argument("--results", required=True, type=Path, help="the directory for results and checkpoints")
    parser.add_argument("--window", default="25 hours", help="how long a repeat is known (25 hours)")
    parser.add_argument("--every", default="10 seconds", help="how often there is a batch (10 seconds)")
    options = parser.parse_args()
    options.results.mkdir(parents=True, exist_ok=True)

    spark = SparkSession.builder.appName("hookbridge-events").getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    once = events(spark, options.bootstrap, options.topics, options.window)
    # Two queries, each with its own memory of what has been.
    (
        once.writeStream.queryName("events")
        .foreachBatch(write_events(options.results / "events"))
        .option("checkpointLocation", str(options.results / "checkpoints" / "events"))
        .outputMode("append")
        .trigger(processingTime=options.every)
        .start()
    )
    (
        once.groupBy("type")
        .count()
        .writeStream.queryName("counts")
        .foreachBatch(write_counts(options.results))
        .option("checkpointLocation", str(options.results / "checkpoints" / "counts"))
        .outputMode("complete")
        .trigger(processingTime=options.every)
        .start()
    )
    # If one fails, the job does: whoever runs it starts it again.
    spark.streams.awaitAnyTermination()


if __name__ == "__main__":
    main()
