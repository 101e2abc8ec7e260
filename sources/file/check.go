package file

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/wallcast/wallcast/sources"
)

// Check implements sources.Checker: it looks whether the file can be read.
func (in input) Check(context.Context) error {
	err := in.readable()
	if err != nil {
		return &sources.SettingError{Setting: "path", Err: err}
	}
	return nil
}

func (in input) readable() error {
	if _, err := os.Stat(in.path); errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s does not exist", in.path)
	}
	if _, err := in.stat(); err != nil {
		return err
	}
	f, err := os.Open(in.path)
	if err != nil {
		return unreadable(in.path, err)
	}
	return f.Close()
}
