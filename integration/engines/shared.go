package engines

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// The environment variables that name servers for all tests: the URL of a PostgreSQL database of a superuser, the bootstrap
// address of a Kafka cluster, the base URL of a registry's Confluent API.
const (
	PostgresVariable = "SYNCLINE_TEST_POSTGRES"
	KafkaVariable    = "SYNCLINE_TEST_KAFKA"
	RegistryVariable = "SYNCLINE_TEST_REGISTRY"
)

// Kind is one of the engines that tests share.
type Kind struct {
	// Name is for messages.
	Name string
	// Variable is the environment variable that holds the address.
	Variable string

	start func(ctx context.Context, dir string) (address string, stop func(), err error)
}

// Kinds are the engines that tests share, in the order in which they are listed to people.
var Kinds = []Kind{postgresKind, kafkaKind, registryKind}

var (
	postgresKind = Kind{"PostgreSQL", PostgresVariable, func(ctx context.Context, dir string) (string, func(), error) {
		p, err := StartPostgres(ctx, PostgresOptions{Dir: dir})
		if err != nil {
			return "", nil, err
		}
		return p.URL(""), p.Stop, nil
	}}
	kafkaKind = Kind{"Kafka", KafkaVariable, func(ctx context.Context, dir string) (string, func(), error) {
		k, err := StartKafka(ctx, KafkaOptions{Dir: dir})
		if err != nil {
			return "", nil, err
		}
		return k.Address(), k.Stop, nil
	}}
	registryKind = Kind{"registry", RegistryVariable, func(ctx context.Context, dir string) (string, func(), error) {
		r, err := StartRegistry(ctx, RegistryOptions{Dir: dir})
		if err != nil {
			return "", nil, err
		}
		return r.URL(), r.Stop, nil
	}}
)

// Start starts an engine of the kind in a temporary folder. stop stops it and removes the folder.
func (k Kind) Start(ctx context.Context) (address string, stop func(), err error) {
	dir, err := TemporaryFolder()
	if err != nil {
		return "", nil, err
	}
	address, stopEngine, err := k.start(ctx, filepath.Join(dir, strings.ToLower(k.Name)))
	if err != nil {
		os.RemoveAll(dir)
		return "", nil, err
	}
	return address, func() { stopEngine(); os.RemoveAll(dir) }, nil
}

// own are the engines that this program has started for its tests because the environment names none.
var own = struct {
	sync.Mutex
	engines map[string]*ownEngine
}{engines: map[string]*ownEngine{}}

type ownEngine struct {
	once    sync.Once
	address string
	stop    func()
	err     error
}

// shared returns the address of the engine that all tests use, after starting it if the environment names none. An engine
// that did not start is not tried again: the next test gets the same error.
func (k Kind) shared() (string, error) {
	if address := os.Getenv(k.Variable); address != "" {
		return address, nil
	}
	own.Lock()
	e := own.engines[k.Name]
	if e == nil {
		e = &ownEngine{}
		own.engines[k.Name] = e
	}
	own.Unlock()
	// Not the test's context: the engine outlives the test that needs it first.
	e.once.Do(func() { e.address, e.stop, e.err = k.Start(context.Background()) })
	return e.address, e.err
}

// Main runs a package's tests and then stops the engines that they started; it is the body of TestMain:
//
//	func TestMain(m *testing.M) { os.Exit(engines.Main(m)) }
//
// Without it the engines die with the test program (on Linux), and their folders are removed by a later run.
func Main(m interface{ Run() int }) int {
	code := m.Run()
	own.Lock()
	defer own.Unlock()
	for _, e := range own.engines {
		if e.stop != nil {
			e.stop()
		}
	}
	clear(own.engines)
	return code
}

const folderPrefix = "syncline-engines-"

// TemporaryFolder makes a folder that the user of a PostgreSQL server may enter. It also removes the folders of programs
// that were killed before they could do so.
func TemporaryFolder() (string, error) {
	sweep()
	dir, err := os.MkdirTemp("", fmt.Sprintf("%s%d-", folderPrefix, os.Getpid()))
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o711)
}

// sweep removes the folders whose program has ended. One whose number another program has now waits for a later sweep.
func sweep() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*")) // the only error is a malformed pattern
	for _, dir := range dirs {
		number, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), folderPrefix), "-")
		pid, err := strconv.Atoi(number)
		if err == nil && syscall.Kill(pid, 0) == syscall.ESRCH {
			_ = os.RemoveAll(dir) // another user's folder stays
		}
	}
}
