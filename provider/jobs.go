package provider

import (
	"context"
	"errors"
	"time"
)

// FollowOnce reloads what is cached (clients, keys) when the change counter
// moved, stores how the connectors fare, ends the sessions of those that were removed,
// and takes groups away that the settings do not cover any more. Its caller calls it once a second.
func (p *Provider) FollowOnce(ctx context.Context, at time.Time) error {
	s := p.shared
	if n := s.gates.Refused(); n > 0 {
		s.config.Log.Warn("too many requests at once", "refused", n)
	}
	return errors.Join(s.reload(ctx, at), s.health.WriteOnce(ctx, at), s.jobs.EndRemovedOnce(ctx, p.generation.connectors, at),
		s.jobs.ForgetGroupsOnce(ctx, p.generation.groups, at))
}

// DeliverOnce tells clients of the sessions that have ended, and returns when they
// have answered. Its caller calls it once a second.
func (p *Provider) DeliverOnce(ctx context.Context, at time.Time) error {
	return p.shared.notices.DeliverOnce(ctx, at)
}

// Drain waits for what requests have left behind them: the clients that a sign-out
// is telling. Its caller calls it when no more requests come.
func (p *Provider) Drain() { p.shared.notices.Wait() }

// RotateOnce lets the keys go through their life, see keeper.Rotator. Its
// caller calls it once a second, never twice at a time.
func (p *Provider) RotateOnce(ctx context.Context, at time.Time) error {
	return p.shared.rotator.RotateOnce(ctx, at)
}

// SweepOnce deletes what is kept no longer. Its caller calls it once a minute, never
// twice at a time.
func (p *Provider) SweepOnce(ctx context.Context, at time.Time) error {
	return p.shared.jobs.SweepOnce(ctx, at)
}

// NoteRefusalsOnce writes the events of refused requests. Its caller calls it once a
// second, and at the end.
func (p *Provider) NoteRefusalsOnce(ctx context.Context) error {
	return p.shared.jobs.NoteRefusalsOnce(ctx)
}

// NoteReadersOnce writes down which programs have read the JWKS since the last time. Its
// caller calls it once a minute, and at the end.
func (p *Provider) NoteReadersOnce(ctx context.Context, at time.Time) error {
	return p.shared.jobs.NoteReadersOnce(ctx, at)
}

// LeaveConnectors is called when the node stops: the connectors that it alone served
// count as removed soon, unless its successor serves them.
func (p *Provider) LeaveConnectors(ctx context.Context, at time.Time) error {
	return p.shared.jobs.LeaveConnectors(ctx, at)
}
