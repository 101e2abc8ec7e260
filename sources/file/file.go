// Package file is the source that reads a file, in one of three modes.
//
// # Modes
//
// replay emits one line every so often, from the top to the end and, unless
// loop is off, from the top again. Empty lines and lines that start with "#" are
// skipped; a line "\#…" is the text "#…" (one backslash is taken off in front
// of a "#"). The file may be edited at any time: the replay goes on after the
// line that it emitted last, wherever that is then.
//
// follow emits lines as they are appended, like tail -F. The first run ever
// begins at the file's end (from: start reads what is there, too); every later
// one where the former stopped. A file that was renamed is read to its end, then
// those that were rotated since, then the new one. A copy that was made before
// the file was truncated is found and read to its end as well. A line is emitted
// when its line end was written, or when a newer file has content. Rotated files
// are those in the same folder whose name is the file's with a suffix that starts
// with a digit ("app.log.1", "app.log-20260102", "app-2026-01-02.log").
//
// value takes the whole file, without the white space around it, for one value
// and emits it when it changes. It is read when it was left alone for a moment, so
// that no half of it is taken. An empty file is no value.
//
// # Lines
//
// A line is flat text or a JSON object, and is the payload as it stands, without
// its line end. A JSON object whose field kind is a string says where it goes:
//
//	{"kind": "friend", "key": "ada", "text": "Ada joined"}
//	{"kind": "song", "key": "jazz", "data": {"artist": "Nina Simone"}, "time": "2026-01-02T15:04:05Z"}
//
// In the first form kind and key are taken out and the rest is the payload. The
// second is the form in which plugins write: data is the payload, and beside it
// stand kind, key, time, id and wall alone (replay ignores id, for its lines
// return). The setting route: false takes every line for a payload.
//
// Text that is not valid UTF-8 is read as Windows-1252, line by line, because
// radio automation mixes the two. Byte order marks are taken off; value reads
// UTF-16 that has one. A line or value longer than 64 KiB is skipped with a warning.
//
// # What it can't know
//
// A file that is gone, or compressed, before its end was read is lost, with a
// line in the log. Two files whose lines are all alike can't be told apart once
// their inodes are gone.
//
// # Polling
//
// The file is looked at ten times a second instead of being watched with
// inotify: that costs three system calls a look, and unlike a watch it also works
// on network folders, in containers and across a rename of the folder.
package file

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/wallcast/wallcast/sources"
)

// MaxLine is the longest line or value that is emitted, in bytes.
const MaxLine = 64 << 10

const (
	// poll is how often a file is looked at.
	poll = 100 * time.Millisecond

	// leastEvery keeps a replay from being a flood.
	leastEvery = time.Millisecond
)

// Type is the source type "file".
var Type = sources.Type{
	Name: "file",
	Doc:  "Lines of a file: replayed one at a time, followed as they are appended, or the whole file as one value.",
	New: func() sources.Settings {
		return &Settings{Every: 2 * time.Second, Loop: true, From: "end", Encoding: "auto", Route: true}
	},
}

// Settings are the settings of a file source.
type Settings struct {
	Path     string        `yaml:"path" doc:"The file. A relative path is relative to the configuration file's folder."`
	Mode     string        `yaml:"mode" doc:"replay: one line every so often. follow: lines as they are appended, like tail -F. value: the whole file, when it changes." enum:"replay follow value"`
	Every    time.Duration `yaml:"every" doc:"replay: the time from one line to the next."`
	Loop     bool          `yaml:"loop" doc:"replay: whether it begins again after the last line."`
	From     string        `yaml:"from" doc:"follow: where the very first run begins, at the file's end or its start." enum:"end start"`
	Encoding string        `yaml:"encoding" doc:"auto (UTF-8, and Windows-1252 for what is no UTF-8), utf-8 or windows-1252." enum:"auto utf-8 windows-1252"`
	Route    bool          `yaml:"route" doc:"Whether a JSON line with a field kind says its own kind and key."`
}

// Source checks the settings; see [sources.Settings].
func (s *Settings) Source(env sources.Env) (sources.Source, error) {
	wrong := func(setting, format string, args ...any) (sources.Source, error) {
		return nil, &sources.SettingError{Setting: setting, Err: fmt.Errorf(format, args...)}
	}
	if s.Path == "" {
		return wrong("path", "name the file to read")
	}
	if s.Every < leastEvery {
		return wrong("every", "%v is too short; %v is the least", s.Every, leastEvery)
	}
	if s.From != "start" && s.From != "end" {
		return wrong("from", "%q is neither start nor end", s.From)
	}
	if s.Encoding != "auto" && s.Encoding != "utf-8" && s.Encoding != "windows-1252" {
		return wrong("encoding", "%q is none of auto, utf-8 and windows-1252", s.Encoding)
	}
	path := s.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(env.Folder, path)
	}
	in := input{path: path, configured: s.Path, parser: parser{encoding: s.Encoding, route: s.Route}}
	switch s.Mode {
	case "replay":
		return &replay{in, s.Every, s.Loop}, nil
	case "follow":
		in.parser.ids = true
		return &follow{in, s.From == "start"}, nil
	case "value":
		in.parser.ids = true
		return &value{in}, nil
	case "":
		return wrong("mode", "say what to do with the file: replay, follow or value")
	}
	return wrong("mode", "%q is none of replay, follow and value", s.Mode)
}

// input is what the three modes have in common.
type input struct {
	path       string // absolute, or relative to where the program runs
	configured string // as in the configuration
	parser     parser
}

// stat looks at the file; its error is a sentence for people.
func (in input) stat() (os.FileInfo, error) {
	info, err := os.Stat(in.path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%s does not exist; waiting for it", in.path)
	case errors.Is(err, os.ErrPermission):
		return nil, unreadable(in.path, err)
	case err != nil:
		return nil, fmt.Errorf("reading %w", err)
	case info.IsDir():
		return nil, fmt.Errorf("%s is a folder; name a file in it", in.path)
	case !info.Mode().IsRegular(): // opening a pipe would wait for its writer
		return nil, fmt.Errorf("%s is not a regular file; only such can be read", in.path)
	}
	return info, nil
}

func (in input) open() (*os.File, error) {
	if _, err := in.stat(); err != nil {
		return nil, err
	}
	f, err := os.Open(in.path)
	if errors.Is(err, os.ErrPermission) {
		return nil, unreadable(in.path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %w", err)
	}
	return f, nil
}

func unreadable(path string, err error) error {
	return fmt.Errorf("%s may not be read by the user that the program runs as: %w", path, err)
}

// emit stores an event. What is wrong with it alone is a warning that names
// the place.
func emit(ctx context.Context, out sources.Output, e sources.Event, place string) error {
	err := out.Emit(ctx, e)
	if one := (*sources.EventError)(nil); errors.As(err, &one) {
		out.Warn(fmt.Errorf("%s: skipped: %w", place, err))
		return nil
	}
	return err
}

// pause waits for d and returns ctx's error when that ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return ctx.Err()
	}
}
