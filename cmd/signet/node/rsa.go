package node

import (
	"context"
	"fmt"
	"os"

	"signet/cmd/signet/config"
	"signet/provider/keys/openssl"
	"signet/storage"
)

// openRSA returns the engine that makes the RSA signatures, or nil if Go makes them.
func openRSA(c config.Config) *openssl.Engine {
	if !c.OpenSSL {
		return nil
	}
	return openssl.Open(openssl.Config{})
}

// warningsOfRSA returns the reason why the engine cannot be used. The start goes on without
// it.
func warningsOfRSA(e *openssl.Engine) []string {
	if f := e.Failure(); f != nil {
		return []string{fmt.Sprintf("keys.rsa is openssl, but OpenSSL cannot be used, so Go makes the RSA signatures: %v", f.Err)}
	}
	return nil
}

// noteRSAOnce records the event of the engine's failure. The engine fails at most once.
func (n *Node) noteRSAOnce(ctx context.Context, _ int) error {
	f := n.rsa.Failure()
	if f == nil || n.rsaNoted {
		return nil
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	err = n.db.RecordEvent(ctx, storage.Event{
		Type: storage.KeyEngineFailed, Outcome: storage.Refused, Reason: f.Reason, From: storage.Origin{Actor: storage.ActorSystem},
		Detail: map[string]any{"node": host, "library": f.Library, "error": f.Err.Error()},
	}, n.clock.Now())
	n.rsaNoted = err == nil
	return err
}
