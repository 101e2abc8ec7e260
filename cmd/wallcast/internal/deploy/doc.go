// Package deploy makes what lies in the plugins folder what plugins run: a file
// that comes is loaded, one that changes takes the place of the former, one that
// goes is retired. WebAssembly modules are loaded at once, executables once their
// operator has trusted them, and then as a copy that nobody else can change.
package deploy
