package kills

import "time"

// sourceChain kills a source that has read its tables: while it streams, takes over, finds a new table or misses one.
var sourceChain = chain{
	name: "source", victim: "source", sink: "postgres-sink", tables: bankSQL,
	source: "topics: {config: {max.message.bytes: \"200000\"}}\n",
	kills: []kill{
		{at: "publish.after-lease", down: bank},
		{at: "publish.after-fence", down: bank},
		{at: "publish.after-mark", down: bank},
		{at: "publish.before-produce", pass: 2, traffic: bank},
		// Standing there leaves time to tell the server, if somebody was told too early.
		{at: "publish.before-position", pass: 3, stand: time.Second, traffic: bank},
		{at: "publish.before-commit", pass: 3, stand: time.Second, traffic: bank},
		{at: "publish.after-commit", pass: 3, traffic: bank},
		{at: "publish.after-confirm", pass: 3, traffic: bank},
		{at: "publish.after-commit", pass: 4, down: big, traffic: bank},
		{at: "publish.between-schemas", down: alter, traffic: bank},
		{at: "publish.before-description", down: alter, traffic: bank},
		{at: "publish.after-description", down: alter, traffic: bank},
		{at: "publish.before-dead-letter", down: streaming, traffic: tooLarge},
		{at: "publish.after-dead-letter", down: streaming, traffic: tooLarge},
		{at: "publish.after-topic", down: add, dead: shrink},
		{at: "postgres-source.after-stream-start", down: bank},
		{at: "postgres-source.before-status", pass: 2, traffic: bank},
		{at: "postgres-source.after-status", pass: 2, traffic: bank},
		{at: "postgres-source.after-fit", down: add, dead: shrink},
		{at: "postgres-source.after-temporary-slot", down: add, dead: shrink},
		{at: "postgres-source.at-cut", down: add, traffic: bank},
		{at: "postgres-source.after-truncate", down: add, dead: shrink},
		{at: "postgres-source.after-missed", down: unpublish},
		{at: "postgres-source.after-untold", down: untell},
	},
}

// repeatsChain kills a source without transactions: what it repeats the sink leaves out, in tables without key too.
var repeatsChain = chain{
	name: "repeats", victim: "source", sink: "postgres-sink", tables: bankSQL, source: "delivery: at_least_once\n", repeats: true,
	kills: []kill{
		{at: "publish.after-mark", down: bank},
		{at: "publish.before-produce", pass: 4, traffic: bank},
		{at: "publish.before-position", pass: 3, stand: time.Second, traffic: bank},
		{at: "publish.before-commit", pass: 3, traffic: bank},
		{at: "publish.after-confirm", pass: 3, traffic: bank},
		{at: "postgres-source.after-truncate", down: add, dead: shrink},
	},
}
