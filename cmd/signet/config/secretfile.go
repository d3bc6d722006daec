package config

import (
	"errors"
	"os"
	"slices"

	"signet/storage"
)

// addSecretFile records that a file contains a secret.
func (r *Reading) addSecretFile(path string) {
	if path != "" && !slices.Contains(r.secretFiles, path) {
		r.secretFiles = append(r.secretFiles, path)
	}
}

// OpenFiles returns a warning for each file with a secret that other users can read, with the
// command that closes the file. This is no mistake, because Docker and Kubernetes mount secrets
// readable by all users of the container, which often has only one.
func (r *Reading) OpenFiles() []string {
	files := slices.Clone(r.secretFiles)
	if r.Config.TLS.Key != "" {
		files = append(files, r.Config.TLS.Key)
	}
	if path := storage.URLParameter(r.Config.Database.Reveal(), "sslkey"); path != "" {
		files = append(files, path)
	}
	var warnings []string
	for _, path := range files {
		wrong, open := errors.AsType[*storage.OpenToOthers](storage.CheckPrivate(path))
		if open && wrong.Group >= 0 && os.Geteuid() == 0 {
			continue // root is not in the group of the service, which needs the access: the package installs the settings so
		}
		if open {
			warnings = append(warnings, wrong.Error()+", which contains a secret: "+wrong.Next())
		}
	}
	return warnings
}
