package schemas

import "strings"

// quarantineSuffix ends the name of the topic that holds a table's changes while the registry refuses its schema.
const quarantineSuffix = ".quarantine"

// HeaderQuarantine holds the name of the topic that a change in a quarantine topic is meant for. Every record of a
// quarantine topic has it, and no other.
const HeaderQuarantine = "syncline.quarantine"

// QuarantineTopic is the name of the topic beside a table's own that takes its changes while the registry refuses its schema.
func QuarantineTopic(topic string) string { return topic + quarantineSuffix }

// QuarantineOf returns the topic that a quarantine topic stands beside; ok is false for any other topic.
func QuarantineOf(name string) (topic string, ok bool) {
	topic, ok = strings.CutSuffix(name, quarantineSuffix)
	return topic, ok && topic != ""
}
