//go:build !linux

package embed

import "io/fs"

// fileBirth is empty where the system has no portable answer; an older copy of
// the whole store then goes unnoticed.
func fileBirth(fs.FileInfo) string { return "" }
