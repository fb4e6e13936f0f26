package publish

import "time"

// How long a transaction stays open, and how long to wait before the next. The figures were measured on one Apache
// Kafka 4.3 broker; what depends on the cluster is learned.
const (
	// ageMin and ageMax bound the time that a change waits for others to share its transaction.
	ageMin = 5 * time.Millisecond
	ageMax = 100 * time.Millisecond
	// ageLowest is that time when the lowest latency is asked for and changes keep coming.
	ageLowest = 3 * time.Millisecond

	// gapMin is the pause between EndTransaction and the first produce of the next transaction where the brokers do not say
	// when they are through (completion.go), until a longer one is found to be needed. EndTransaction returns before the broker has written the commit's markers; a produce request
	// that comes earlier is parked for add.partitions.to.txn.retry.backoff.ms, 20 ms by default, and every change of that
	// transaction is that late. With 2 ms it happens to one transaction in 500, with 3 ms to one in 1,000 or fewer.
	// The pause makes every change late: one of more than half of what parking costs would be the greater evil.
	gapMin = 3 * time.Millisecond
	gapMax = 10 * time.Millisecond
	// parked is by how much a first produce takes longer, when the broker has parked it, than EndTransaction, which never
	// is: where the brokers or the machine are busy, both are slow, and a longer gap would mend nothing. Anything may be
	// that slow once; the gap is at fault when several of the last parkedWindow transactions were.
	parked       = 15 * time.Millisecond
	parkedWindow = 64
	parkedMany   = 2.0
)

// pace decides when transactions are cut. It is used by the committer alone.
type pace struct {
	lowest bool
	commit time.Duration // moving average of the time from the cut to the end of the commit
	ending time.Duration // moving average of the time that EndTransaction takes
	gap    time.Duration
	parked float64 // how many of the last transactions were, the older the less
}

func newPace(lowest bool) pace { return pace{lowest: lowest, gap: gapMin} }

// age is how long after its first change a transaction is cut: about twice what a commit costs, so that commits take
// at most a third of the time. With a backlog latency is lost already and large transactions are what catches up.
func (p *pace) age(backlog bool) time.Duration {
	switch {
	case backlog:
		return ageMax
	case p.lowest:
		return ageLowest
	}
	return min(max(2*p.commit, ageMin), ageMax)
}

// quiet is how long nothing new must arrive for a transaction to be cut before its age; 0: it need not be quiet at all.
// With the lowest latency the pause between transactions is all the company that a change waits for.
func (p *pace) quiet() time.Duration {
	if p.lowest {
		return 0
	}
	return max(p.age(false)/4, time.Millisecond)
}

// committed learns what a commit costs.
func (p *pace) committed(d time.Duration) { learn(&p.commit, d) }

// learn moves an average; the first value is where it begins.
func learn(average *time.Duration, d time.Duration) {
	if *average == 0 {
		*average = d
		return
	}
	*average += (d - *average) / 8
}

// produced learns from the time that the first produce of a transaction took, and from that of its EndTransaction. When
// the gap is found too short it grows at once by half; it shrinks slowly (to half in a second at 150 transactions a
// second), so that trying whether a shorter one will do costs about one transaction in a hundred.
func (p *pace) produced(first, ending time.Duration) {
	learn(&p.ending, ending)
	p.parked -= p.parked / parkedWindow
	if first >= parked+2*p.ending {
		p.parked++
	}
	if p.parked > parkedMany {
		p.parked = 0
		p.gap = min(p.gap*3/2, gapMax)
		return
	}
	p.gap = max(p.gap-p.gap/256, gapMin)
}
