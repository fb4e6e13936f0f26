package schemas

import "strings"

// quarantineSuffix ends the name of the topic that holds a table's changes while the registry refuses its schema.
const quarantineSuffix = ".quarantine"

// HeaderQuarantine says of a change in a quarantine topic who set it aside and which topic it is meant for, as
// [QuarantineMark] writes it. Every record of a quarantine topic has it, and no other.
const HeaderQuarantine = "syncline.quarantine"

// QuarantineTopic is the name of the topic beside a table's own that takes its changes while the registry refuses its schema.
func QuarantineTopic(topic string) string { return topic + quarantineSuffix }

// QuarantineOf returns the topic that a quarantine topic stands beside; ok is false for any other topic.
func QuarantineOf(name string) (topic string, ok bool) {
	topic, ok = strings.CutSuffix(name, quarantineSuffix)
	return topic, ok && topic != ""
}

// QuarantineMark is the value of [HeaderQuarantine]: the name of the connector, a zero byte, and the topic that the change is
// meant for. Neither name can hold a zero byte. A topic of a like name may be another connector's, or another program's.
func QuarantineMark(connector, topic string) string { return connector + "\x00" + topic }
