package main

import (
	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/file"
)

// sourceTypes are the kinds of sources that a configuration can name. A source
// of your own is one line more.
var sourceTypes = []sources.Type{
	file.Type,
}
