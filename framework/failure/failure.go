// Package failure says what an error means for the one who must decide: try again, stop, or set a record aside.
//
// The rule is one: what is not marked is a trouble of the environment and is tried again for ever, with back-off and
// visibly. Whoever knows better marks the error where it arises; [Classify] is the only place that reads the marks.
package failure

import (
	"errors"
	"time"
)

// Class is what to do about an error.
type Class uint8

// The classes. The zero Class is the default: retry.
const (
	// Retry: the environment is in trouble (server away, disk full, permission lost). Try again with back-off.
	Retry Class = iota
	// Config: the configuration, or a credential at the start, is wrong. Stop with exit code 2.
	Config
	// Gap: state or log is missing, so that going on would lose or repeat changes. Stop with exit code 3.
	Gap
	// Fenced: another instance has taken over. Drop everything and go back to the lease.
	Fenced
	// Refused: the target or the wire format does not take one record. Set that record aside as a dead letter.
	Refused
	// Conflict: rows stand in each other's way for now (a unique value that another partition will free). Wait for the
	// other partitions and try again.
	Conflict
)

// Exit codes of a connector.
const (
	ExitConfig = 2
	ExitGap    = 3
)

// Error is an error with a mark, and with the way out if there is one.
type Error struct {
	Class Class
	// Hint says what the operator can do, as a sentence without a full stop; "" when there is nothing to say.
	Hint string
	// Wait is the least time before the next try; 0 leaves it to the back-off.
	Wait time.Duration
	Err  error
}

// Error gives the message, and the hint after it.
func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Err.Error()
	}
	return e.Err.Error() + " (" + e.Hint + ")"
}

// Unwrap returns the marked error.
func (e *Error) Unwrap() error { return e.Err }

// As marks err with a class and a hint. It returns nil for a nil err.
func As(class Class, err error, hint string) error {
	if err == nil {
		return nil
	}
	return &Error{Class: class, Hint: hint, Err: err}
}

// After marks err as one to retry no sooner than after wait.
func After(err error, wait time.Duration) error {
	if err == nil {
		return nil
	}
	return &Error{Class: Retry, Wait: wait, Err: err}
}

// WithHint adds the way out and leaves the class as it is.
func WithHint(err error, hint string) error {
	if err == nil {
		return nil
	}
	return &Error{Class: Classify(err), Wait: Wait(err), Hint: hint, Err: err}
}

// Classify returns the class of the outermost mark in err's chain, Retry when there is none.
func Classify(err error) Class {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Class
	}
	return Retry
}

// Wait returns the least time before the next try, 0 when err does not say.
func Wait(err error) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Wait
	}
	return 0
}

// IsFinal reports whether err must stop the connector.
func IsFinal(err error) bool {
	c := Classify(err)
	return c == Config || c == Gap
}
