//go:build race

package jq_test

const raceEnabled = true
