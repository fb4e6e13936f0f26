package evolution

import (
	"os"
	"testing"

	"github.com/syncline-io/syncline/integration/engines"
)

func TestMain(m *testing.M) { os.Exit(engines.Main(m)) }
