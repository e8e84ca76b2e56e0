package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// result is a line of a ledger.
type result struct {
	Key      string `json:"key"`
	Source   string `json:"source"`
	Type     string `json:"type"`
	Time     string `json:"time"`
	Unsigned string `json:"unsigned,omitempty"`
	Verified bool   `json:"verified"`
	Octets   int    `json:"octets"`
	At       string `json:"at"`
}

// identity makes a message the same: source and key. IDs are a sender's own, and two may share a topic.
func (r result) identity() string { return r.Source + " " + r.Key }

// ledger holds the results of one partition, and the memory of which messages are among them, in one file of JSON
// lines. Two files would have to be written as one, or a crash between them makes a result come twice or never.
type ledger struct {
	file     *os.File
	lines    *bufio.Writer
	known    map[string]struct{}
	newest   []string // those that are known, a ring once it is full
	next     int
	remember int
	dirty    bool
}

// openLedger opens or makes the file, and learns its newest messages. A line that a crash has cut off is taken away: its
// record was never committed, and comes again.
func openLedger(path string, remember int) (*ledger, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	l := &ledger{file: file, lines: bufio.NewWriter(file), known: map[string]struct{}{}, remember: remember}
	var whole int64
	for lines := bufio.NewReader(file); ; {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		var of result
		if err == nil {
			err = json.Unmarshal(line, &of)
		}
		if err != nil {
			file.Close()
			return nil, fmt.Errorf("at octet %d: %w", whole, err)
		}
		l.know(of.identity())
		whole += int64(len(line))
	}
	if err := file.Truncate(whole); err != nil {
		file.Close()
		return nil, err
	}
	return l, nil
}

// know says whether the message is new, and forgets the oldest one if there are too many.
func (l *ledger) know(key string) bool {
	if _, ok := l.known[key]; ok {
		return false
	}
	l.known[key] = struct{}{}
	if len(l.newest) < l.remember {
		l.newest = append(l.newest, key)
		return true
	}
	delete(l.known, l.newest[l.next])
	l.newest[l.next] = key
	l.next = (l.next + 1) % l.remember
	return true
}

// add adds a line, unless its message has one.
func (l *ledger) add(of result) error {
	if !l.know(of.identity()) {
		return nil
	}
	l.dirty = true
	return json.NewEncoder(l.lines).Encode(of)
}

// sync returns once all lines are on the disk.
func (l *ledger) sync() error {
	if !l.dirty {
		return nil
	}
	if err := l.lines.Flush(); err != nil {
		return err
	}
	if err := l.file.Sync(); err != nil {
		return err
	}
	l.dirty = false
	return nil
}

// close closes the file. Everything in it was synced with its batch.
func (l *ledger) close() { l.file.Close() }
