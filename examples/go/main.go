// Consumer reads hookbridge's topics: each message once, verified again, offsets committed after the work.
//
// It takes records, and the secrets of Standard Webhooks senders, with which it verifies the records again. It gives
// a line of JSON for each message, in a file for each partition. What a message means is left to you: ledger.add
// stands where your work would.
//
// It may end at any moment. A record whose offset was not committed comes again, and its key is known by then: the
// line and the memory of it are the same write.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// batchRecords is how many records are worked off before the disk and the broker are asked to remember it.
const batchRecords = 500

// commitWithin is how long the broker may take to remember it. The batch comes again if it does not, and is known.
const commitWithin = 10 * time.Second

type consumer struct {
	client   *kgo.Client
	verifier *verifier
	results  string
	remember int
	ledgers  map[place]*ledger
}

type place struct {
	topic     string
	partition int32
}

func main() {
	log.SetFlags(log.LstdFlags | log.LUTC | log.Lmsgprefix)
	if err := run(); err != nil {
		log.Fatalf("error: %v", err)
	}
}

func run() error {
	bootstrap := flag.String("bootstrap", "localhost:9092", "Kafka's addresses, separated by commas")
	group := flag.String("group", "example-go", "the consumer group")
	instance := flag.String("instance", "", "this instance's name in the group: restarted, it has its partitions back at once")
	topics := flag.String("topics", "", "the topics, separated by commas")
	results := flag.String("results", "", "the directory for the results")
	remember := flag.Int("remember", 1_000_000, "how many messages of each partition are remembered")
	secrets := flag.String("secrets", "", "the sources whose records are verified again, as source=VARIABLE, separated by "+
		"commas: the environment variable holds the secret, whsec_...")
	flag.Parse()
	if *topics == "" || *results == "" || *remember < 1 || flag.NArg() > 0 {
		flag.Usage()
		return errors.New("-topics and -results are needed")
	}
	verifier, err := newVerifier(*secrets, os.Getenv)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(*results, 0o755); err != nil {
		return err
	}
	c := &consumer{verifier: verifier, results: *results, remember: *remember, ledgers: map[place]*ledger{}}
	options := []kgo.Opt{
		kgo.SeedBrokers(strings.Split(*bootstrap, ",")...),
		kgo.ConsumerGroup(*group),
		kgo.ConsumeTopics(strings.Split(*topics, ",")...),
		// Offsets are committed by workOff, after the work, and by nothing else.
		kgo.DisableAutoCommit(),
		// A new group begins with what is there, instead of leaving it out.
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		// Partitions move only between two batches, never while one is worked off.
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsRevoked(c.forget),
		kgo.OnPartitionsLost(c.forget),
	}
	if *instance != "" {
		options = append(options, kgo.InstanceID(*instance))
	}
	if c.client, err = kgo.NewClient(options...); err != nil {
		return err
	}
	defer c.client.CloseAllowingRebalance()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	return c.consume(ctx)
}

// consume works off batches until ctx ends, and then the one that is under way.
func (c *consumer) consume(ctx context.Context) error {
	for {
		fetches := c.client.PollRecords(ctx, batchRecords)
		if ctx.Err() != nil || fetches.IsClientClosed() {
			return nil
		}
		// What can be repaired franz-go repairs by itself.
		fetches.EachError(func(topic string, partition int32, err error) {
			log.Printf("reading %s/%d: %v", topic, partition, err)
		})
		if err := c.workOff(fetches.Records()); err != nil {
			return err
		}
		c.client.AllowRebalance()
	}
}

// workOff returns once everything that is new is on the disk, and Kafka knows it.
func (c *consumer) workOff(batch []*kgo.Record) error {
	for _, record := range batch {
		at := fmt.Sprintf("%s/%d@%d", record.Topic, record.Partition, record.Offset)
		key := string(record.Key)
		if key == "" {
			log.Printf("refused %s: no key, so it is not hookbridge's", at)
			continue
		}
		// Before the dedupe: a record that is not genuine must not pass for the genuine one.
		verified, err := c.verifier.verify(record)
		if err != nil {
			log.Printf("refused %s, key %s: %v", at, key, err)
			continue
		}
		ledger, err := c.ledger(place{record.Topic, record.Partition})
		if err != nil {
			return err
		}
		result := result{
			Key:      key,
			Source:   header(record, "hookbridge_source"),
			Type:     header(record, "ce_type"),
			Time:     header(record, "ce_time"),
			Unsigned: header(record, "hookbridge_unsigned"),
			Verified: verified,
			Octets:   len(record.Value),
			At:       at,
		}
		if err := ledger.add(result); err != nil {
			return err
		}
	}
	for _, ledger := range c.ledgers {
		if err := ledger.sync(); err != nil {
			return err
		}
	}
	if len(batch) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), commitWithin)
	defer cancel()
	if err := c.client.CommitRecords(ctx, batch...); err != nil {
		log.Printf("committing: %v", err)
	}
	return nil
}

func (c *consumer) ledger(at place) (*ledger, error) {
	if known, ok := c.ledgers[at]; ok {
		return known, nil
	}
	file := filepath.Join(c.results, fmt.Sprintf("%s-%d.jsonl", at.topic, at.partition))
	opened, err := openLedger(file, c.remember)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", file, err)
	}
	c.ledgers[at] = opened
	return opened, nil
}

// forget closes the ledgers of partitions that go to other instances: those write from now on.
func (c *consumer) forget(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
	for topic, partitions := range gone {
		for _, partition := range partitions {
			if ledger, ok := c.ledgers[place{topic, partition}]; ok {
				ledger.close()
				delete(c.ledgers, place{topic, partition})
			}
		}
	}
}
