// Package config reads wallcast.yaml.
//
// # Usage
//
// [Load] gives a checked [Config], or [Errors]: every mistake with its line,
// its column and a picture of the line. The kinds of sources are handed in, so
// that the settings of a source are checked like all others.
//
// # The environment
//
// ${NAME} in a value stands for a variable of the environment, $${ for the
// characters themselves. The variable's value is put in after the file was
// parsed and can't become structure.
//
// # One place for each description
//
// What a setting means stands in the doc tag of its field. [Schema] and
// [Reference] are generated from these tags.
package config
