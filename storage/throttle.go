package storage

import (
	"context"
	"time"
)

// Limit is how many attempts a key may reserve within a window.
type Limit struct {
	Key    string // already hashed or bucketed where it holds what was typed
	Max    int
	Window time.Duration
}

// Reservation is an attempt that was counted and can be given back.
type Reservation struct {
	Keys []string
}

// Reserve counts one attempt against all limits at once, before any work is done
// for it, by conditional writes. Either all are counted or none.
//
// *ThrottledError: one of them is used up; RetryAfter is until its window ends.
func (db *DB) Reserve(ctx context.Context, limits []Limit, at time.Time) (Reservation, error) {
	panic("to build")
}

// GiveBack undoes a reservation: what succeeds is not counted.
func (db *DB) GiveBack(ctx context.Context, r Reservation, at time.Time) error { panic("to build") }
