//go:build syncline_crash

package publish

import (
	"fmt"
	"testing"
)

// A crash between any two steps of the protocol must leave Kafka such that the next start loses and repeats nothing.
func TestCrashAtEveryPointNeitherLosesNorRepeats(t *testing.T) {
	for _, point := range []string{"after-lease", "after-fence", "before-produce", "before-commit", "after-commit", "after-confirm"} {
		for _, pass := range []int{1, 20} {
			t.Run(fmt.Sprintf("%s/%d", point, pass), func(t *testing.T) {
				if pass > 1 && (point == "after-lease" || point == "after-fence") {
					t.Skip("a process passes this point once")
				}
				c := realKafka(t)
				if err := child(t, c, fmt.Sprintf("SYNCLINE_CRASH_AT=publish.%s:%d", point, pass)).Wait(); err == nil {
					t.Fatal("the child was not killed")
				}
				if err := child(t, c, "SYNCLINE_CRASH_AT=").Wait(); err != nil {
					t.Fatalf("the second child: %v", err)
				}
				wantOnce(t, c.committed(t, c.name+".public.items"), childRows)
			})
		}
	}
}
