package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/syncline-io/syncline/framework/failure"
)

// Document is a parsed configuration file, its references resolved.
type Document struct {
	path string
	root *ast.MappingNode
}

// Read parses the file at path. Its errors are marked failure.Config.
func Read(path string) (*Document, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, failure.As(failure.Config, fmt.Errorf("configuration: %w", err), "name an existing YAML file")
	}
	return Parse(path, text)
}

// Parse is Read for a text at hand; path appears in messages only, and relative ${file:} references start at its folder.
func Parse(path string, text []byte) (*Document, error) {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		// The library's long form shows lines of the file, which may hold a secret: keep its first line.
		first, _, _ := strings.Cut(yaml.FormatError(err, false, false), "\n")
		return nil, failure.As(failure.Config, fmt.Errorf("%s: not YAML: %s", path, first), "")
	}
	d := &Document{path: path, root: &ast.MappingNode{}}
	if len(file.Docs) > 1 {
		return nil, failure.As(failure.Config, fmt.Errorf("%s: holds %d documents, want one connector per file", path, len(file.Docs)), "")
	}
	if len(file.Docs) == 1 && file.Docs[0].Body != nil {
		root, ok := mapping(file.Docs[0].Body)
		if !ok {
			return nil, failure.As(failure.Config, fmt.Errorf("%s: want keys and values, such as \"connector: postgres-source\"", path), "")
		}
		d.root = root
	}
	var problems []error
	for _, v := range d.root.Values {
		v.Value = d.resolve(v.Value, &problems)
	}
	return d, failure.As(failure.Config, errors.Join(problems...), "")
}

// Path is the file's path as given to Read.
func (d *Document) Path() string { return d.path }

// String returns the string under a top-level key, "" when there is none: what must be known before the rest can be
// decoded, such as the connector's name.
func (d *Document) String(key string) string {
	for _, v := range d.root.Values {
		if keyText(v.Key) == key {
			if s, ok := scalar(v.Value); ok {
				return s
			}
		}
	}
	return ""
}

// Sets reports whether the file gives a value to the key at path: d.Sets("batch", "bytes").
func (d *Document) Sets(path ...string) bool {
	m := d.root
	for i, key := range path {
		at := slices.IndexFunc(m.Values, func(v *ast.MappingValueNode) bool { return keyText(v.Key) == key })
		if at < 0 {
			return false
		}
		if i == len(path)-1 {
			_, empty := m.Values[at].Value.(*ast.NullNode)
			return !empty
		}
		below, ok := mapping(m.Values[at].Value)
		if !ok {
			return false
		}
		m = below
	}
	return true
}

func mapping(n ast.Node) (*ast.MappingNode, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n, true
	case *ast.MappingValueNode:
		return &ast.MappingNode{BaseNode: n.BaseNode, Start: n.Start, Values: []*ast.MappingValueNode{n}}, true
	case *ast.AnchorNode:
		return mapping(n.Value)
	}
	return nil, false
}

func keyText(k ast.MapKeyNode) string {
	if s, ok := k.(*ast.StringNode); ok {
		return s.Value
	}
	return strings.TrimSpace(k.String())
}

func scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.NullNode:
		return "", false
	case *ast.MappingNode:
		if len(n.Values) == 1 {
			return address(n.Values[0])
		}
		return "", false
	case ast.ScalarNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// address puts host:port together again. In {brokers: [localhost:9092]}, a list within braces, the parser takes the
// colon for that of a key, although YAML wants a blank behind it.
func address(kv *ast.MappingValueNode) (string, bool) {
	value, ok := scalar(kv.Value)
	key := keyText(kv.Key)
	if !ok || kv.Value.GetToken().Position.Offset != kv.Key.GetToken().Position.Offset+len(key)+1 {
		return "", false
	}
	return key + ":" + value, true
}

func line(n ast.Node) int {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 0
}

// resolve replaces the references in every string below n.
func (d *Document) resolve(n ast.Node, problems *[]error) ast.Node {
	switch n := n.(type) {
	case *ast.MappingNode:
		for _, v := range n.Values {
			v.Value = d.resolve(v.Value, problems)
		}
	case *ast.MappingValueNode:
		n.Value = d.resolve(n.Value, problems)
	case *ast.SequenceNode:
		for i := range n.Values {
			n.Values[i] = d.resolve(n.Values[i], problems)
		}
	case *ast.StringNode:
		text, err := d.expand(n.Value)
		if err != nil {
			*problems = append(*problems, fmt.Errorf("%s:%d: %w", d.path, line(n), err))
		}
		n.Value = text
	case *ast.LiteralNode:
		text, err := d.expand(n.Value.Value)
		if err != nil {
			*problems = append(*problems, fmt.Errorf("%s:%d: %w", d.path, line(n), err))
		}
		n.Value.Value = text
	}
	return n
}

// expand resolves the references in one string.
func (d *Document) expand(s string) (string, error) {
	var out strings.Builder
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			out.WriteString(s)
			return out.String(), nil
		}
		if i > 0 && s[i-1] == '$' { // "$${": a plain "${"
			out.WriteString(s[:i-1] + "${")
			s = s[i+2:]
			continue
		}
		end := strings.IndexByte(s[i:], '}')
		if end < 0 {
			return "", errors.New(`"${" without "}" (write "$${" for a plain "${")`)
		}
		out.WriteString(s[:i])
		value, err := d.reference(s[i+2 : i+end])
		if err != nil {
			return "", err
		}
		out.WriteString(value)
		s = s[i+end+1:]
	}
}

func (d *Document) reference(name string) (string, error) {
	if path, ok := strings.CutPrefix(name, "file:"); ok {
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(d.path), path)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			// A PathError's own text is enough; it never holds the content.
			if errors.Is(err, fs.ErrNotExist) {
				return "", fmt.Errorf("${%s}: there is no file %s", name, path)
			}
			return "", fmt.Errorf("${%s}: %w", name, err)
		}
		return strings.TrimRight(string(text), "\r\n"), nil
	}
	value, ok := os.LookupEnv(name)
	if !ok {
		return "", fmt.Errorf("${%s}: the environment variable %s is not set (set it, or write ${file:PATH} for a file)", name, name)
	}
	return value, nil
}
