// Package config reads a connector's YAML file: strictly, with every problem at once, each with its line and key, and a
// suggestion for a misspelt key.
//
// All configuration comes from the file. A string in it may name an environment variable, ${NAME}, or a file,
// ${file:/run/secrets/password}; "$${" stands for "${". References are resolved after the YAML is parsed, so that a
// secret may hold any character. Types that can hold a secret ([Secret], [URL]) print without it.
//
// Read in this order: document.go (parsing and references), decode.go (YAML into structs), types.go (sizes, secrets),
// kafka.go, source.go and sink.go (what all connectors of a kind share).
package config
