package embed

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// storeIdentity names the store below folder such that a copy of the store has
// another name: it is derived from a marker file's random content and from
// where and when the file system made that file, which no copy or restored
// backup keeps. A store that was only moved, or that was stopped and started,
// keeps its identity.
//
// A sequence of an older copy may stand for another event than before, so the
// ids of the walls have to change with the identity.
func storeIdentity(folder string) (string, error) {
	path := filepath.Join(folder, "identity")
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		content = []byte(rand.Text() + "\n")
		err = os.WriteFile(path, content, 0o600)
	}
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(fmt.Appendf(content, "%s", fileBirth(info)))
	return hex.EncodeToString(sum[:12]), nil
}
