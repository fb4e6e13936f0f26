package load

import "testing"

// What depends on the brokers' own group protocol and transactions is shown on Apache Kafka too.
func TestOnApacheKafka(t *testing.T) {
	for _, tt := range []struct {
		name       string
		partitions int32
		scenario   func(*testing.T, *world)
	}{
		{"an operator's reset is obeyed once", 1, operatorsReset},
		{"lag reaches zero over aborted transactions", 1, lagOverAborts},
		{"a fenced member begins again", 1, fencedMember},
		{"partitions are handed over without loss or repeat", 4, handOver},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.scenario(t, newRealWorld(t, tt.partitions)) })
	}
}
