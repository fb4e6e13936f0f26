package reference

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
)

// module is the path that begins every import path of ours.
const module = "github.com/syncline-io/syncline/"

// comments finds the comments of structs in the sources of their packages.
type comments struct {
	root     string
	packages map[string]map[string]structComments // by import path, then by type
}

// structComments are the comments of a struct and of its fields, see meaning.
type structComments struct {
	text   string
	fields map[string]string
}

// structure returns the comment of a struct, "" for none.
func (c *comments) structure(t reflect.Type) (string, error) {
	s, err := c.of(t)
	return s.text, err
}

// field returns what the comment of a field says of its key, "" for none.
func (c *comments) field(in reflect.Type, f reflect.StructField) (string, error) {
	s, err := c.of(in)
	return s.fields[f.Name], err
}

func (c *comments) of(t reflect.Type) (structComments, error) {
	types, ok := c.packages[t.PkgPath()]
	if !ok {
		var err error
		if types, err = readPackage(filepath.Join(c.root, strings.TrimPrefix(t.PkgPath(), module))); err != nil {
			return structComments{}, err
		}
		c.packages[t.PkgPath()] = types
	}
	s, ok := types[t.Name()]
	if !ok {
		return s, fmt.Errorf("type %s is not in the sources of %s", t.Name(), t.PkgPath())
	}
	return s, nil
}

// readPackage reads the comments of all structs in a folder.
func readPackage(dir string) (map[string]structComments, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	types := map[string]structComments{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, d := range file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.TYPE {
				continue
			}
			for _, spec := range g.Specs {
				t := spec.(*ast.TypeSpec)
				if s, ok := t.Type.(*ast.StructType); ok {
					types[t.Name.Name] = readStruct(g, t, s)
				}
			}
		}
	}
	return types, nil
}

func readStruct(g *ast.GenDecl, t *ast.TypeSpec, s *ast.StructType) structComments {
	doc := t.Doc
	if doc == nil {
		doc = g.Doc
	}
	out := structComments{text: oneLine(doc), fields: map[string]string{}}
	out.text = meaning(out.text, map[string]string{t.Name.Name: t.Name.Name})
	last := ""
	keys := keysOf(s)
	for _, f := range s.Fields.List {
		text := oneLine(f.Doc)
		for _, name := range f.Names {
			// "Cert and Key are ...": the comment of the first is the second's too.
			if text == "" && strings.Contains(last, " and "+name.Name+" ") {
				text = last
			}
			out.fields[name.Name] = meaning(text, keys)
		}
		if text != "" {
			last = text
		}
	}
	return out
}

// keysOf returns the keys of a struct's fields, by the fields' names.
func keysOf(s *ast.StructType) map[string]string {
	keys := map[string]string{}
	for _, f := range s.Fields.List {
		if f.Tag == nil {
			continue
		}
		tag := reflect.StructTag(strings.Trim(f.Tag.Value, "`"))
		key, _, _ := strings.Cut(tag.Get("yaml"), ",")
		for _, name := range f.Names {
			keys[name.Name] = key
		}
	}
	return keys
}

// meaning is a field's comment for those who see keys and no fields: without the field's name at its beginning, and
// with keys for the names of fields that it mentions. A name that begins a sentence, or that follows an article, is a word
// like any other.
func meaning(text string, keys map[string]string) string {
	words := strings.Split(text, " ")
	if len(words) > 2 && words[1] != "and" && keys[words[0]] != "" {
		words = words[1:]
		if words[0] == "is" || words[0] == "are" {
			words = words[1:]
		}
	}
	for i, word := range words {
		name := strings.TrimRight(word, ",.;:")
		if key := keys[name]; key != "" && (i == 0 || !strings.HasSuffix(words[i-1], ".") && words[i-1] != "a") {
			words[i] = "`" + key + "`" + word[len(name):]
		}
	}
	return plain(strings.Join(words, " "))
}

// plain drops the full stop of a single sentence.
func plain(text string) string {
	if strings.Contains(text, ". ") {
		return text
	}
	return strings.TrimSuffix(text, ".")
}

func oneLine(g *ast.CommentGroup) string {
	return strings.Join(strings.Fields(g.Text()), " ")
}
