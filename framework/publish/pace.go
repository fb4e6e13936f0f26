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

	// gapStart is the pause between EndTransaction and the first produce of the next transaction. EndTransaction returns
	// before the broker has written the commit's markers; a produce request that comes earlier is parked for
	// add.partitions.to.txn.retry.backoff.ms, 20 ms by default, and every change of that transaction is that late.
	gapStart = 3 * time.Millisecond
	gapMin   = 2 * time.Millisecond
	gapMax   = 20 * time.Millisecond
	// parked is how long a first produce takes at least when the broker has parked it.
	parked = 15 * time.Millisecond
)

// pace decides when transactions are cut. It is used by the committer alone.
type pace struct {
	lowest bool
	commit time.Duration // moving average of the time from the cut to the end of the commit
	gap    time.Duration
}

func newPace(lowest bool) pace { return pace{lowest: lowest, gap: gapStart} }

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
func (p *pace) committed(d time.Duration) {
	if p.commit == 0 {
		p.commit = d
		return
	}
	p.commit += (d - p.commit) / 8
}

// produced learns from the time that the first produce of a transaction took. The gap grows at once when it was too
// short and shrinks by a thousandth when it was not: at 150 transactions a second it takes seconds to try a shorter
// one, so that at most one transaction in some hundreds pays for the attempt.
func (p *pace) produced(first time.Duration) {
	if first >= parked {
		p.gap = min(p.gap*3/2, gapMax)
		return
	}
	p.gap = max(p.gap-p.gap/1024, gapMin)
}
