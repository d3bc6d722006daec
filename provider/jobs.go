package provider

import (
	"context"
	"errors"
	"time"
)

// FollowOnce brings the node up to date with the database and the settings. It reloads the
// cached clients and keys if the change counter has moved, and stores the health of the
// connectors. It also ends the sessions of removed connectors, and deletes groups that
// the settings no longer allow. Call it once a second.
func (p *Provider) FollowOnce(ctx context.Context, at time.Time) error {
	s := p.shared
	if n := s.gates.Refused(); n > 0 {
		s.config.Log.Warn("too many requests at once", "refused", n)
	}
	return errors.Join(s.reload(ctx, at), s.health.WriteOnce(ctx, at), s.jobs.EndRemovedConnectorsOnce(ctx, p.generation.connectors, at),
		s.jobs.RemoveUnconfiguredGroupsOnce(ctx, p.generation.groups, at))
}

// DeliverOnce sends the due back-channel logout notices, and returns when the clients have
// answered. If everything of the instance has ended, it first writes the next notices of the
// ended sessions. Call it once a second.
func (p *Provider) DeliverOnce(ctx context.Context, at time.Time) error {
	return errors.Join(p.shared.jobs.QueueEndedLogoutsOnce(ctx, at), p.shared.notices.DeliverOnce(ctx, at))
}

// SendMailsOnce sends the due mails; see notice.Mails. Call it once a second; calls must not
// overlap.
func (p *Provider) SendMailsOnce(ctx context.Context) error {
	return p.shared.mails.SendMailsOnce(ctx)
}

// SendEventsOnce sends the due events to the webhook of the settings; see webhook.Sender. Call it once a
// second; calls must not overlap.
func (p *Provider) SendEventsOnce(ctx context.Context) error {
	return p.shared.webhook.SendOnce(ctx)
}

// Drain waits for the back-channel logout notices that requests have started to send. Call
// it after the last request.
func (p *Provider) Drain() { p.shared.notices.Wait() }

// RotateOnce performs the due steps of key rotation, see keeper.Rotator. Call it once a
// second; calls must not overlap.
func (p *Provider) RotateOnce(ctx context.Context, at time.Time) error {
	return p.shared.rotator.RotateOnce(ctx, at)
}

// SweepOnce deletes rows whose retention time has ended. Call it once a minute; calls must
// not overlap.
func (p *Provider) SweepOnce(ctx context.Context, at time.Time) error {
	return p.shared.jobs.SweepOnce(ctx, at)
}

// NoteRefusalsOnce writes the audit events of refused requests. Call it once a second and
// when the node stops.
func (p *Provider) NoteRefusalsOnce(ctx context.Context) error {
	return p.shared.jobs.NoteRefusalsOnce(ctx)
}

// NoteReadersOnce stores which programs have fetched the JWKS since the last call. Call it
// once a minute and when the node stops.
func (p *Provider) NoteReadersOnce(ctx context.Context, at time.Time) error {
	return p.shared.jobs.NoteReadersOnce(ctx, at)
}

// ReleaseConnectors records that the node stops and no longer serves its connectors. A
// connector that no other node serves counts as removed shortly afterwards, unless the
// restarted node serves it again. Call it when the node stops.
func (p *Provider) ReleaseConnectors(ctx context.Context, at time.Time) error {
	return p.shared.jobs.ReleaseConnectors(ctx, at)
}
