package deploy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// Pin says which version of a plugin's executable is trusted.
type Pin struct {
	SHA256 string    `json:"sha256"` // of the file, in hexadecimal
	File   string    `json:"file"`   // its name in the plugins folder
	Time   time.Time `json:"time"`   // when it was trusted
}

// Trust keeps which executables are trusted, and copies of them, in a folder that
// only the program's own user may enter. Any number of processes may use it.
type Trust struct{ Folder string }

const pinsFile = "trust.json"

// Pins returns the pins by the plugins' names.
func (t Trust) Pins() (map[string]Pin, error) {
	path := filepath.Join(t.Folder, pinsFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading which plugins are trusted: %w", err)
	}
	var pins map[string]Pin
	if err := json.Unmarshal(data, &pins); err != nil {
		return nil, fmt.Errorf("reading which plugins are trusted: %s is damaged (%w); delete it, and trust them again", path, err)
	}
	return pins, nil
}

// Add trusts the executable at path, as it is now, as the plugin of that name.
func (t Trust) Add(name, path string) (Pin, error) {
	if err := os.MkdirAll(t.Folder, 0o700); err != nil {
		return Pin{}, fmt.Errorf("trusting %s: %w", path, err)
	}
	lock := flock.New(filepath.Join(t.Folder, "trust.lock"), flock.SetPermissions(0o600))
	if err := lock.Lock(); err != nil {
		return Pin{}, fmt.Errorf("trusting %s: %w", path, err)
	}
	defer lock.Unlock() // an error leaves a lock that ends with the process
	pins, err := t.Pins()
	if err != nil {
		return Pin{}, err
	}
	pin := Pin{File: filepath.Base(path), Time: time.Now().UTC().Round(time.Second)}
	if pin.SHA256, err = t.copy(path, ""); err != nil {
		return Pin{}, fmt.Errorf("trusting %s: %w", path, err)
	}
	if pins == nil {
		pins = map[string]Pin{}
	}
	pins[name] = pin
	text, err := json.MarshalIndent(pins, "", "  ")
	if err != nil {
		return Pin{}, err
	}
	if err := replace(filepath.Join(t.Folder, pinsFile), append(text, '\n')); err != nil {
		return Pin{}, fmt.Errorf("trusting %s: %w", path, err)
	}
	return pin, nil
}

// replace writes a file in one step.
func replace(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// copy copies an executable into the folder and returns its hash. Where want is
// not empty, a file with another hash is an error.
func (t Trust) copy(path, want string) (sum string, err error) {
	from, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer from.Close()
	to, err := os.CreateTemp(t.Folder, ".new-")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(to.Name()))
		}
	}()
	hash := sha256.New()
	_, err = io.Copy(io.MultiWriter(to, hash), from)
	// Another user may have to execute it, see the package process; nobody else
	// gets into the folder.
	if err = errors.Join(err, to.Chmod(0o555), to.Sync(), to.Close()); err != nil {
		return "", err
	}
	sum = hex.EncodeToString(hash.Sum(nil))
	if want != "" && sum != want {
		return "", errors.New("it has changed meanwhile")
	}
	folder := filepath.Join(t.Folder, sum)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	return sum, os.Rename(to.Name(), filepath.Join(folder, filepath.Base(path)))
}

// verified returns the path of the copy of what is pinned, which has the pinned
// content. Where it is missing or damaged, it is made of the file at path, if
// that has the content.
func (t Trust) verified(pin Pin, path string) (string, error) {
	copied := filepath.Join(t.Folder, pin.SHA256, filepath.Base(pin.File))
	if sum, err := hashOf(copied); err == nil && sum == pin.SHA256 {
		return copied, nil
	}
	if _, err := t.copy(path, pin.SHA256); err != nil {
		return "", fmt.Errorf("copying the trusted version: %w", err)
	}
	return filepath.Join(t.Folder, pin.SHA256, filepath.Base(path)), nil
}

// tidy removes the copies of what is not trusted any more.
func (t Trust) tidy() error {
	pins, err := t.Pins()
	if err != nil {
		return err
	}
	trusted := map[string]bool{}
	for _, pin := range pins {
		trusted[pin.SHA256] = true
	}
	entries, err := os.ReadDir(t.Folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if sum, err := hex.DecodeString(e.Name()); err != nil || len(sum) != sha256.Size || trusted[e.Name()] {
			continue
		}
		if err := os.RemoveAll(filepath.Join(t.Folder, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// hashOf is the SHA-256 of a file, in hexadecimal.
func hashOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// Trusts reports whether the executable at path is trusted, as it is now, as the
// plugin of that name.
func (t Trust) Trusts(name, path string) (bool, error) {
	pins, err := t.Pins()
	if err != nil {
		return false, err
	}
	sum, err := hashOf(path)
	if err != nil {
		return false, err
	}
	return pins[name].SHA256 == sum, nil
}
