package localpg

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/syncline-io/syncline/framework/failure"
)

// account is whom the server runs as. A nil credential is the user of this process.
type account struct {
	name       string
	credential *syscall.Credential
}

// serverAccount returns this process's own user, or for root, which PostgreSQL refuses, the user postgres, else nobody.
func serverAccount() (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return account{}, fmt.Errorf("user %s: %w", name, err)
		}
		// No supplementary groups: the server needs none of root's.
		return account{name: name, credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), Groups: []uint32{}}}, nil
	}
	return account{}, failure.As(failure.Config,
		errors.New("PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it as"),
		"run this program as an ordinary user")
}

// own makes dir if need be, gives it to the account, and checks that the account can reach it.
func (a account) own(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if a.credential == nil {
		return nil
	}
	if err := os.Chown(dir, int(a.credential.Uid), int(a.credential.Gid)); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	for parent := filepath.Dir(dir); ; parent = filepath.Dir(parent) {
		if err := a.mayEnter(parent); err != nil {
			return err
		}
		if parent == filepath.Dir(parent) {
			return nil
		}
	}
}

// mayEnter checks the permission bits, which is what root cannot find out by trying.
func (a account) mayEnter(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	mode := info.Mode().Perm()
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		switch {
		case s.Uid == a.credential.Uid:
			mode >>= 6
		case s.Gid == a.credential.Gid:
			mode >>= 3
		}
	}
	if mode&1 != 0 {
		return nil
	}
	return failure.As(failure.Config,
		fmt.Errorf("the PostgreSQL server runs as user %s, because PostgreSQL refuses root, and that user may not enter %s", a.name, dir),
		"choose a data folder whose parents are open to it, such as one under /var/lib, or chmod o+x that folder")
}
