package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// verifier verifies records of Standard Webhooks senders again (Svix, AllFly Connect, EventsAir, ...): the value is
// what was signed, and the signature stands in the headers. The clock is not looked at: hookbridge did, when the
// request arrived.
type verifier struct{ keys map[string][]byte }

// newVerifier reads source=VARIABLE,..., with secrets as their sender shows them: whsec_ and base64.
func newVerifier(list string, getenv func(string) string) (*verifier, error) {
	v := &verifier{keys: map[string][]byte{}}
	for _, entry := range strings.Split(list, ",") {
		if entry == "" {
			continue
		}
		source, variable, ok := strings.Cut(entry, "=")
		if !ok {
			return nil, fmt.Errorf("-secrets: %q is not of the form source=VARIABLE", entry)
		}
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(getenv(variable), "whsec_"))
		// The error would show a part of the secret.
		if err != nil || len(key) < 16 {
			return nil, fmt.Errorf("-secrets: %s does not hold a secret such as whsec_... with 16 octets or more", variable)
		}
		v.keys[source] = key
	}
	return v, nil
}

// verify says whether the record was verified again. It was not if there is no secret for its source, or the value is not
// what was signed: an element of a batch, a body without its content-encoding, an event that was encoded anew. Nor if
// it was replayed on trust. A record that is not genuine is an error.
func (v *verifier) verify(record *kgo.Record) (bool, error) {
	switch header(record, "hookbridge_verification") {
	case "":
	case "not_repeated":
		return false, nil
	default:
		return false, errors.New("hookbridge could not verify it, and has marked it so")
	}
	key, ok := v.keys[header(record, "hookbridge_source")]
	if !ok || header(record, "hookbridge_batch") != "" || header(record, "hookbridge_decoded") != "" || isEncodedAnew(record) {
		return false, nil
	}
	prefix := "webhook-"
	if header(record, "svix-signature") != "" {
		prefix = "svix-"
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(header(record, prefix+"id") + "." + header(record, prefix+"timestamp") + "."))
	mac.Write(body(record.Value))
	want := mac.Sum(nil)
	for _, presented := range strings.Fields(header(record, prefix+"signature")) {
		version, signature, _ := strings.Cut(presented, ",")
		got, err := base64.StdEncoding.DecodeString(signature)
		if version == "v1" && err == nil && hmac.Equal(got, want) {
			return true, nil
		}
	}
	return false, errors.New("the signature does not match")
}

// body is what was signed. In a topic with a JSON Schema, five octets (0 and the schema's ID) stand before it; no JSON
// begins with 0.
func body(value []byte) []byte {
	if len(value) > 5 && value[0] == 0 {
		return value[5:]
	}
	return value
}

func header(record *kgo.Record, name string) string {
	for _, header := range record.Headers {
		if header.Key == name {
			return string(header.Value)
		}
	}
	return ""
}

// isEncodedAnew says whether the value is an event in Avro, in Protobuf, or as one CloudEvent in JSON.
func isEncodedAnew(record *kgo.Record) bool {
	kind := header(record, "content-type")
	return kind == "application/avro" || kind == "application/protobuf" || strings.HasPrefix(kind, "application/cloudevents+json")
}
