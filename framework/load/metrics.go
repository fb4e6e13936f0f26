package load

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the loader's collectors, all with the label connector.
type metrics struct {
	rows, retries         prometheus.Counter
	deadLetters           *prometheus.CounterVec
	writeSeconds, latency prometheus.Histogram
}

func newMetrics(l *Loader, o *Options) *metrics {
	m := &metrics{
		rows: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "syncline_sink_rows_total", Help: "Rows written to the target, after folding.",
		}),
		retries: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "syncline_sink_retries_total", Help: "Tries that failed and were, or will be, made again.",
		}),
		deadLetters: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "syncline_sink_dead_letters_total", Help: "Records set aside as dead letters.",
		}, []string{"topic"}),
		writeSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "syncline_sink_write_seconds", Help: "Time of one write to the target.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 16),
		}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "syncline_sink_latency_seconds", Help: "From the commit at the source to the commit in the target, per change.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 20),
		}),
	}
	o.Metrics.MustRegister(m.rows, m.retries, m.deadLetters, m.writeSeconds, m.latency, &partitionCollector{l})
	l.stats.metrics = m
	return m
}

// partitionCollector reports the partitions that this member owns at the moment of the scrape.
type partitionCollector struct{ loader *Loader }

var (
	lagDesc = prometheus.NewDesc("syncline_sink_lag_records", "Records in the topic that are not in the target yet.",
		[]string{"topic", "partition"}, nil)
	offsetDesc = prometheus.NewDesc("syncline_sink_offset", "Offset of the first record that is not in the target yet.",
		[]string{"topic", "partition"}, nil)
)

// Describe implements prometheus.Collector.
func (c *partitionCollector) Describe(ch chan<- *prometheus.Desc) { ch <- lagDesc; ch <- offsetDesc }

// Collect implements prometheus.Collector.
func (c *partitionCollector) Collect(ch chan<- prometheus.Metric) {
	for _, p := range c.loader.partitionsNow() {
		n := strconv.Itoa(int(p.Partition.Partition))
		if lag := p.lag(); lag >= 0 {
			ch <- prometheus.MustNewConstMetric(lagDesc, prometheus.GaugeValue, float64(lag), p.Topic, n)
		}
		ch <- prometheus.MustNewConstMetric(offsetDesc, prometheus.GaugeValue, float64(p.written.Load()), p.Topic, n)
	}
}
