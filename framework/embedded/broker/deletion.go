package broker

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// refuseEmptying refuses every request to delete records that does not keep whole segments, and so the last one:
// retention's own do. kfake knows where an emptied partition ended until it restarts; then offsets begin at 0 again, and
// a consumer that has stored its offset waits for ever, or misses what comes.
func refuseEmptying(c *kfake.Cluster, dir string) {
	c.ControlKey(int16(kmsg.DeleteRecords), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		req := kreq.(*kmsg.DeleteRecordsRequest)
		if keepsSegments(req, dir) {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.DeleteRecordsResponse)
		for _, t := range req.Topics {
			rt := kmsg.NewDeleteRecordsResponseTopic()
			rt.Topic = t.Topic
			for _, p := range t.Partitions {
				rp := kmsg.NewDeleteRecordsResponseTopicPartition()
				rp.Partition, rp.LowWatermark, rp.ErrorCode = p.Partition, -1, kerr.PolicyViolation.Code
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp, nil, true
	})
}

// keepsSegments reports whether every offset to delete up to is where a segment begins. A topic that does not exist is
// left for kfake to answer.
func keepsSegments(req *kmsg.DeleteRecordsRequest, dir string) bool {
	all, err := partitions(dir)
	if err != nil {
		return false
	}
	folders := make(map[string]string, len(all))
	for _, p := range all {
		folders[p.String()] = p.path
	}
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			folder, ok := folders[partition{topic: t.Topic, number: p.Partition}.String()]
			if !ok {
				continue
			}
			if _, err := os.Stat(filepath.Join(folder, fmt.Sprintf("%d.dat", p.Offset))); err != nil {
				return false
			}
		}
	}
	return true
}
