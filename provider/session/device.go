package session

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"signet/storage"
)

const deviceCookie = "_device"

// DeviceLife is how long a browser stays known to the user who has last signed in
// there. Signing out does not end it: it lets nobody in, and it is what lets the
// owner try while strangers have used up the account's attempts.
const DeviceLife = 180 * 24 * time.Hour

// Device is what the browser says it is; the zero Device if it says nothing, or
// nothing that was sealed here. Whom it is known to, the user's row decides.
func (s *Sessions) Device(r *http.Request) storage.Device {
	sealed, ok := s.Cookies.Read(r, deviceCookie)
	if !ok {
		return storage.Device{}
	}
	payload, err := s.Ring.Unseal("device", sealed, s.Now())
	if err != nil {
		return storage.Device{}
	}
	var d storage.Device
	if json.Unmarshal(payload, &d) != nil {
		return storage.Device{}
	}
	return d
}

// keepDevice makes the browser known to the user of the session. One that is so
// already keeps its id, and with it its count of wrong passwords.
func (s *Sessions) keepDevice(w http.ResponseWriter, before storage.Device, started storage.Session) error {
	d := storage.Device{ID: rand.Text(), UserID: started.UserID, Since: started.CreatedAt}
	if before.UserID == d.UserID {
		d.ID = before.ID
	}
	payload, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encode device: %w", err)
	}
	sealed, err := s.Ring.Seal("device", payload, s.Now().Add(DeviceLife))
	if err != nil {
		return fmt.Errorf("seal device: %w", err)
	}
	s.Cookies.Set(w, deviceCookie, sealed, DeviceLife)
	return nil
}
