package simtest

import (
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
)

// Bubble carries out a plan in a bubble of its own. A test that is in a bubble already calls [Run].
func Bubble(t *testing.T, p Plan, mistake *Mistake) (r Report) {
	var id string
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		if !strings.Contains(fmt.Sprint(cause), "blocked goroutines remain") {
			panic(cause)
		}
		if left := leftIn(id); left != "" {
			r.Violations = append(r.Violations, Violation{Validator: "no-wait", Message: "goroutines are left: " + left, At: r.Took})
		}
	}()
	synctest.Test(t, func(*testing.T) {
		id = bubbleOf(stack(false))
		r = Run(p, mistake)
	})
	return r
}

// leaving is a goroutine that kgo leaves behind when a client is closed that has left its group before; there is nothing
// of ours in it.
const leaving = "kgo.(*Client).LeaveGroupContext.func1"

// leftIn returns the stacks of the goroutines of a bubble that are not kgo's own leaving.
func leftIn(id string) string {
	var left []string
	for g := range strings.SplitSeq(stack(true), "\n\n") {
		if bubbleOf(g) == id && !strings.Contains(g, leaving) && !strings.Contains(g, "synctest.Run") {
			left = append(left, g)
		}
	}
	return strings.Join(left, "\n\n")
}

var bubbleName = regexp.MustCompile(`^goroutine \d+ \[.*synctest bubble (\d+)`)

func bubbleOf(stack string) string {
	if m := bubbleName.FindStringSubmatch(stack); m != nil {
		return m[1]
	}
	return ""
}

func stack(all bool) string {
	for size := 1 << 20; ; size *= 2 {
		b := make([]byte, size)
		if n := runtime.Stack(b, all); n < size {
			return string(b[:n])
		}
	}
}
