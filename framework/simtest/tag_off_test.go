//go:build !synctests

package simtest

const tagged = false
