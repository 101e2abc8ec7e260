package wasm

import (
	"time"

	wazerosys "github.com/tetratelabs/wazero/experimental/sys"
)

// Poll implements wazerosys.Pollable: it waits until something can be read, or
// the end, for so many milliseconds; for ever with a negative number.
func (i *input) Poll(flag wazerosys.Pflag, milliseconds int32) (bool, wazerosys.Errno) {
	if flag != wazerosys.POLLIN {
		return false, wazerosys.ENOTSUP
	}
	if len(i.rest) > 0 {
		return true, 0
	}
	if milliseconds < 0 {
		return i.wait(nil), 0
	}
	timer := time.NewTimer(time.Duration(milliseconds) * time.Millisecond)
	defer timer.Stop()
	return i.wait(timer.C), 0
}
