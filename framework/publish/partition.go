package publish

// wirePrefix is what stands before a key's Avro body: a zero and the schema's id.
const wirePrefix = 5

// partition is where a key's changes go: murmur2, as the Java client has it, over the key's Avro body. The id before the body
// is left out, because it is not the key's for ever: a registry that was restored gives the same schema another id, and so
// does a key column that is renamed or widened. With the id, the row's next change would go to another partition, and
// overtake there what still waits in the old one. A record without key goes to the first partition, always the same, so that
// its table's changes stay in order.
func partition(key []byte, partitions int32) int32 {
	if partitions <= 1 || len(key) < wirePrefix {
		return 0
	}
	return int32(murmur2(key[wirePrefix:])&0x7fffffff) % partitions
}

// murmur2 is Kafka's variant of the hash: seed 0x9747b28c, little endian.
func murmur2(b []byte) uint32 {
	const seed, m, r = 0x9747b28c, 0x5bd1e995, 24
	h := uint32(seed) ^ uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		k := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
		k *= m
		k ^= k >> r
		k *= m
		h *= m
		h ^= k
	}
	switch len(b) {
	case 3:
		h ^= uint32(b[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(b[1]) << 8
		fallthrough
	case 1:
		h ^= uint32(b[0])
		h *= m
	}
	h ^= h >> 13
	h *= m
	h ^= h >> 15
	return h
}
