package schemas

import "testing"

func TestAnArenaGivesTheMemoryOfAHugeValueBack(t *testing.T) {
	var a Arena
	a.Bytes(100)
	a.Values(10)
	a.Reset()
	if got, want := a.Size(), arenaBytes+32*arenaValues; got != want {
		t.Errorf("an arena of ordinary values keeps %d bytes, want %d", got, want)
	}
	a.Bytes(arenaKept + 1)
	a.Values(arenaKept)
	a.Reset()
	if a.Size() != 0 {
		t.Errorf("%d bytes kept", a.Size())
	}
}
