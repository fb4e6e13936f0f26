//go:build synctests

package simtest

const tagged = true
