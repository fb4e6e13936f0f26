package jdbc

import (
	"os"
	"testing"

	"github.com/syncline-io/syncline/integration/programs"
)

func TestMain(m *testing.M) { os.Exit(programs.Main(m)) }
