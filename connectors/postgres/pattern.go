package postgres

import "github.com/syncline-io/syncline/framework/config"

// pattern is a list of globs over dotted names, where * stands for any characters.
type pattern []string

// matches reports whether any glob matches name.
func (p pattern) matches(name string) bool { return config.Pattern(p).Matches(name) }
