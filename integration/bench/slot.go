package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// slot is a replication slot of one run.
type slot struct {
	conn *pgx.Conn
	name string
}

// makeSlot makes a slot at the end of the log.
func makeSlot(ctx context.Context, c *pgx.Conn, name string) (slot, error) {
	return slot{c, name}, execute(ctx, c, fmt.Sprintf("select pg_create_logical_replication_slot('%s', 'pgoutput')", name))
}

// copy makes another slot that stands where this one does.
func (s slot) copy(ctx context.Context, name string) (slot, error) {
	return slot{s.conn, name}, execute(ctx, s.conn, fmt.Sprintf("select pg_copy_logical_replication_slot('%s', '%s')", s.name, name))
}

func (s slot) inUse(ctx context.Context) (bool, error) {
	return one[bool](ctx, s.conn, "select exists (select from pg_replication_slots where slot_name = $1 and active)", s.name)
}

// cpu is what the server's process that streams from the slot has used, in seconds.
func (s slot) cpu(ctx context.Context) (float64, error) {
	pid, err := one[*int](ctx, s.conn, "select active_pid from pg_replication_slots where slot_name = $1", s.name)
	if err != nil || pid == nil {
		return 0, err
	}
	return cpuOfProcess(*pid), nil
}

// untilUsed returns when a client has begun to stream from the slot. failure says why it never will. A slot is in use while it is
// made, too, and what is committed before it has its place in the log is not in its stream.
func (s slot) untilUsed(ctx context.Context, failure func() error) (time.Time, error) {
	return until(ctx, quickLook, "slot "+s.name+" is in use", func() (bool, error) {
		if err := failure(); err != nil {
			return false, err
		}
		return one[bool](ctx, s.conn, "select exists (select from pg_replication_slots where slot_name = $1 and active and confirmed_flush_lsn is not null)", s.name)
	})
}

// drop waits until the server has let go of the slot, and drops it.
func (s slot) drop(ctx context.Context) error {
	_, err := until(ctx, slowLook, "slot "+s.name+" is free", func() (bool, error) {
		used, err := s.inUse(ctx)
		return !used, err
	})
	if err != nil {
		return err
	}
	return execute(ctx, s.conn, "select pg_drop_replication_slot('"+s.name+"')")
}

// untilUsedOr is untilUsed for timeProgram.
func (s slot) untilUsedOr(ctx context.Context) func(failure func() error) (time.Time, error) {
	return func(failure func() error) (time.Time, error) { return s.untilUsed(ctx, failure) }
}
