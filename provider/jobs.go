package provider

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// FollowOnce reloads what is cached (clients, keys) when the change counter
// moved, stores how the connectors fare, and ends the sessions of those that were
// removed. Its caller calls it once a second.
func (p *Provider) FollowOnce(ctx context.Context, at time.Time) error {
	if n := p.gates.refused(); n > 0 {
		p.Log.Warn("too many requests at once", "refused", n)
	}
	return errors.Join(p.reload(ctx, at), p.health.WriteOnce(ctx, at), p.jobs.EndRemovedOnce(ctx, p.connectorIDs(), at))
}

// DeliverOnce tells clients of the sessions that have ended, and returns when they
// have answered. Its caller calls it once a second.
func (p *Provider) DeliverOnce(ctx context.Context, at time.Time) error {
	return p.notices.DeliverOnce(ctx, at)
}

// Drain waits for what requests have left behind them: the clients that a sign-out
// is telling. Its caller calls it when no more requests come.
func (p *Provider) Drain() { p.notices.Wait() }

func (p *Provider) reload(ctx context.Context, at time.Time) error {
	changes, err := p.db.Changes(ctx)
	if err != nil {
		return fmt.Errorf("read change counter: %w", err)
	}
	if changes == p.seen.Load() {
		return nil
	}
	if err := p.ring.ReloadOnce(ctx, at); err != nil {
		return fmt.Errorf("reload keys: %w", err)
	}
	if err := p.clients.Reload(ctx); err != nil {
		return err
	}
	p.seen.Store(changes)
	return nil
}

// RotateOnce lets the keys go through their life, see keeper.Rotator. Its
// caller calls it once a second, never twice at a time.
func (p *Provider) RotateOnce(ctx context.Context, at time.Time) error {
	return p.rotator.RotateOnce(ctx, at)
}

// SweepOnce deletes what is kept no longer. Its caller calls it once a minute, never
// twice at a time.
func (p *Provider) SweepOnce(ctx context.Context, at time.Time) error {
	return p.jobs.SweepOnce(ctx, at)
}

// NoteRefusalsOnce writes the events of refused requests. Its caller calls it once a
// second, and at the end.
func (p *Provider) NoteRefusalsOnce(ctx context.Context) error {
	return p.jobs.NoteRefusalsOnce(ctx)
}

// NoteReadersOnce writes down which programs have read the JWKS since the last time. Its
// caller calls it once a minute, and at the end.
func (p *Provider) NoteReadersOnce(ctx context.Context, at time.Time) error {
	return p.jobs.NoteReadersOnce(ctx, at)
}

// LeaveConnectors is called when the node stops: the connectors that it alone served
// count as removed soon, unless its successor serves them.
func (p *Provider) LeaveConnectors(ctx context.Context, at time.Time) error {
	return p.jobs.LeaveConnectors(ctx, at)
}
