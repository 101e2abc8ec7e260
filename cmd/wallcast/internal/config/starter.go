package config

import _ "embed"

//go:embed starter.yaml
var starter string

// Starter is the commented file that "wallcast init" writes. Its source reads
// statuses.txt, which the program writes beside it.
func Starter() string { return starter }
