package postgres

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"pgregory.net/rapid"
)

// smallKeyPage holds seven records, so that pages overflow all the time; with so few, one that is filled to 60 percent
// still has room for one more.
const smallKeyPage = 256

// smallKeySet is a set that spills after so many keys.
func smallKeySet(dir string, most int) *keySet {
	s := newKeySet(dir, most*keyBytes)
	s.pageSize = smallKeyPage
	return s
}

func digestOf(n uint64) digest {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, n))
	return digest(sum[:16])
}

func TestKeySetRemembersWhatAMapDoes(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		s := smallKeySet(dir, rapid.IntRange(1, 9).Draw(t, "keys in memory"))
		defer s.reset()
		want := map[digest]written{}
		// Few keys, so that they come again; some have one page whatever the number of pages, so that it overflows.
		keys := rapid.Custom(func(t *rapid.T) digest {
			k := digestOf(uint64(rapid.IntRange(0, 300).Draw(t, "key")))
			if rapid.IntRange(0, 3).Draw(t, "crowd") == 0 {
				copy(k[:8], []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, k[0] | 0xfe}) // behind the last page is the first
			}
			return k
		})
		check := func(k digest) {
			got, found, err := s.get(k)
			if err != nil {
				t.Fatal(err)
			}
			if w, ok := want[k]; ok != found || got != w {
				t.Fatalf("%x: %+v, %v, want %+v, %v", k, got, found, w, ok)
			}
		}
		for range rapid.IntRange(1, 600).Draw(t, "steps") {
			k := keys.Draw(t, "k")
			check(k)
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0, 1, 2, 3, 4, 5:
				w := written{top: digestOf(rapid.Uint64().Draw(t, "top")), left: rapid.Bool().Draw(t, "left"), many: rapid.Bool().Draw(t, "many")}
				if w.two = rapid.Bool().Draw(t, "two"); w.two {
					w.below = digestOf(rapid.Uint64().Draw(t, "below"))
				}
				want[k] = w
				if err := s.put(k, w); err != nil {
					t.Fatal(err)
				}
			case 6, 7, 8:
				delete(want, k)
				if err := s.remove(k); err != nil {
					t.Fatal(err)
				}
			case 9:
				if rapid.IntRange(0, 50).Draw(t, "transaction ends") == 0 {
					clear(want)
					s.reset()
				}
			}
			if len(s.recent) > s.most {
				t.Fatalf("%d keys are in memory, at most %d are allowed", len(s.recent), s.most)
			}
		}
		for k := range maps.Keys(want) {
			check(k)
		}
	})
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("in the folder are %v, %v", left, err)
	}
}

// A crash runs nothing that could take the file away, so it must have no name while it is in use.
func TestFileOfKeysHasNoNameAndIsGivenBack(t *testing.T) {
	dir := t.TempDir()
	s := smallKeySet(dir, 2)
	for i := range uint64(100) {
		if err := s.put(digestOf(i), written{}); err != nil {
			t.Fatal(err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Fatalf("in the folder are %v, %v", left, err)
		}
	}
	f := s.file.f
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o600 {
		t.Errorf("the file has the mode %o", mode)
	}
	s.reset()
	if _, err := f.Stat(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after the transaction the file is still open: %v", err)
	}
	if _, found, err := s.get(digestOf(1)); found || err != nil {
		t.Errorf("after the transaction a key is found: %v, %v", found, err)
	}
}

func TestFullDiskIsAnErrorThatNamesTheWayOut(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("a device that is always full is Linux's: %v", err)
	}
	s := smallKeySet(t.TempDir(), 2)
	defer s.reset()
	if s.file, err = newKeyFile(s.dir, s.pageSize, 1<<10); err != nil {
		t.Fatal(err)
	}
	s.file.close()
	s.file.f = full
	for i := range uint64(3) {
		if err = s.put(digestOf(i), written{}); err != nil {
			break
		}
	}
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "TMPDIR") || !strings.Contains(err.Error(), "remember the keys") {
		t.Errorf("got %v", err)
	}
}

func TestFolderThatCannotBeWrittenToIsAnErrorThatNamesIt(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	s := smallKeySet(missing, 1)
	err := s.put(digestOf(1), written{})
	if err != nil {
		t.Fatal(err)
	}
	if err = s.put(digestOf(2), written{}); err == nil || !strings.Contains(err.Error(), missing) || !strings.Contains(err.Error(), "TMPDIR") {
		t.Errorf("got %v", err)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A shift of many keys: memory stays within its bound, the verdicts are right, and the memory is given back.
func TestMemoryForTheKeysOfALargeTransactionIsBounded(t *testing.T) {
	const bound, keys = 4 << 20, 500_000
	c := newCollisions(newKeySet(t.TempDir(), bound))
	w := c.of(&relationMessage{oid: 1}, &layout{columns: []wireColumn{{row: 0}, {row: 1}}, key: []int{0}}, false)
	before, highest := heap(), uint64(0)
	var text [16]byte
	row := []field{{kind: 't', text: text[:8]}, {kind: 't', text: text[8:]}}
	rowOf := func(key, value int) []field {
		binary.BigEndian.PutUint64(text[:], uint64(key))
		binary.BigEndian.PutUint64(text[8:], uint64(value))
		return row
	}
	for i := range keys {
		v, err := w.remove(rowOf(i, i))
		if err != nil {
			t.Fatal(err)
		}
		if want := map[bool]verdict{true: send, false: drop}[i == 0]; v != want {
			t.Fatalf("the removal of key %d has the verdict %d", i, v)
		}
		if err := w.create(rowOf(i+1, i), nil); err != nil {
			t.Fatal(err)
		}
		if i%50_000 == 0 || len(c.keys.recent) == c.keys.most && i < keys/2 {
			highest = max(highest, heap())
		}
	}
	if used := highest - before; highest > before && used > bound {
		t.Errorf("%d bytes are held, at most %d are allowed", used, bound)
	} else {
		t.Logf("%d bytes of %d are held; the file has %d pages", used, bound, c.keys.file.pages)
	}
	c.reset()
	if now := heap(); now > before+bound/8 {
		t.Errorf("after the transaction %d bytes are held", now-before)
	}
	runtime.KeepAlive(c)
}

func TestJudgingARowDoesNotAllocate(t *testing.T) {
	c := newCollisions(newKeySet("", keySetBytes))
	w := c.of(&relationMessage{oid: 1}, &layout{columns: []wireColumn{{row: 0}, {row: 1}}, key: []int{0}}, false)
	a := []field{{kind: 't', text: []byte("1")}, {kind: 't', text: []byte("a")}}
	b := []field{{kind: 't', text: []byte("1")}, {kind: 't', text: []byte("b")}}
	n := testing.AllocsPerRun(1000, func() {
		if err := w.create(a, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := w.replace(a, b); err != nil {
			t.Fatal(err)
		}
		if _, err := w.remove(b); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
