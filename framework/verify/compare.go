package verify

import (
	"context"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/syncline-io/syncline/framework/warehouse"
	"github.com/syncline-io/syncline/schemas"
)

const (
	// parts is into how many ranges a range is split.
	parts = 64
	// readRows is the greatest number of rows of a range that are read and compared one by one.
	readRows = 200
	// distinctRows bounds what is read of a range that cannot be split: one place may hold any number of rows.
	distinctRows = 1000
	// lastPlace is the greatest 60-bit number.
	lastPlace = 1<<60 - 1
)

// side is one side of a comparison.
type side struct {
	reader Reader
	query  *Query
	sum    summary
}

// summary is a set of rows: its number and its two sums.
type summary struct {
	rows          int64
	first, second big.Int
}

func (s *summary) equal(o *summary) bool {
	return s.rows == o.rows && s.first.Cmp(&o.first) == 0 && s.second.Cmp(&o.second) == 0
}

func (s *summary) add(o *summary) {
	s.rows += o.rows
	s.first.Add(&s.first, &o.first)
	s.second.Add(&s.second, &o.second)
}

// hash is the sums, each modulo 2^64, as 32 hexadecimal digits.
func (s *summary) hash() string {
	word := new(big.Int).SetUint64(1<<64 - 1)
	return fmt.Sprintf("%016x%016x", new(big.Int).And(&s.first, word), new(big.Int).And(&s.second, word))
}

// comparison compares one table.
type comparison struct {
	options        Options
	source, target side
	result         *TableResult
	names          []string // of the columns, at the source
}

func compareTable(ctx context.Context, o Options, pair Pair) (*TableResult, error) {
	c := &comparison{
		options: o, source: side{reader: o.Source}, target: side{reader: o.Target},
		result: &TableResult{Source: pair.Source, Target: pair.Target},
	}
	source, err := o.Source.Describe(ctx, pair.Source)
	if err != nil {
		return nil, fmt.Errorf("describe %s at the source: %w", pair.Source, err)
	}
	target, err := o.Target.Describe(ctx, pair.Target)
	if err != nil {
		return nil, fmt.Errorf("describe %s at the target: %w", pair.Target, err)
	}
	if source == nil || target == nil {
		c.missingTable(source, target)
		return c.result, nil
	}
	c.match(source, target, pair)
	if len(c.names) == 0 {
		return c.result, nil
	}
	if err := c.compare(ctx); err != nil {
		return nil, fmt.Errorf("compare %s with %s: %w", pair.Source, pair.Target, err)
	}
	r := c.result
	r.SourceRows, r.SourceHash = c.source.sum.rows, c.source.sum.hash()
	r.TargetRows, r.TargetHash = c.target.sum.rows, c.target.sum.hash()
	r.Equal = len(r.Differences) == 0 && !r.More && c.source.sum.equal(&c.target.sum)
	return r, nil
}

func (c *comparison) missingTable(source, target *Table) {
	if source == nil {
		c.differ(Difference{Kind: ExtraTable, Detail: "the source has no such table"})
	}
	if target == nil {
		c.differ(Difference{Kind: MissingTable, Detail: "the target has no such table"})
	}
}

func (c *comparison) differ(d Difference) {
	if len(c.result.Differences) >= c.options.Differences {
		c.result.More = true
		return
	}
	c.result.Differences = append(c.result.Differences, d)
}

// match finds the column of the target for each of the source's, and the form in which the two are compared.
func (c *comparison) match(source, target *Table, pair Pair) {
	s := &Query{table: source.Name, dialect: c.options.Source.Dialect()}
	t := &Query{table: target.Name, dialect: c.options.Target.Dialect()}
	c.source.query, c.target.query = s, t
	for _, column := range source.Columns {
		i := findColumn(target, column.Name)
		if i < 0 {
			c.differ(Difference{Kind: MissingColumn, Detail: fmt.Sprintf("the target has no column %q", column.Name)})
			continue
		}
		form, ok := formOf(column.Type, target.Columns[i].Type)
		if !ok {
			c.differ(Difference{Kind: DifferentType, Detail: fmt.Sprintf("column %q is %s at the source and %s at the target, which cannot be compared",
				column.Name, column.Native, target.Columns[i].Native)})
			continue
		}
		s.columns, t.columns = append(s.columns, column), append(t.columns, target.Columns[i])
		s.forms, t.forms = append(s.forms, form), append(t.forms, form)
		c.names = append(c.names, column.Name)
	}
	key := source.Key
	if len(pair.Key) > 0 {
		key = pair.Key
	}
	for _, name := range key {
		i := slices.Index(c.names, name)
		if i < 0 { // the key cannot be compared: the rows as wholes can
			s.key = nil
			break
		}
		s.key = append(s.key, i)
	}
	t.key = s.key
}

func findColumn(t *Table, name string) int {
	if i := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name }); i >= 0 {
		return i
	}
	return slices.IndexFunc(t.Columns, func(c Column) bool { return strings.EqualFold(c.Name, name) })
}

// formOf is the type as which the values of two columns are compared.
func formOf(source, target schemas.Type) (schemas.Type, bool) {
	if source.Kind == schemas.Array && target.Kind == schemas.Array && source.Elem != nil && target.Elem != nil {
		elem, ok := formOf(*source.Elem, *target.Elem)
		return schemas.Type{Kind: schemas.Array, Elem: &elem}, ok
	}
	switch {
	case source.Kind == schemas.Array && target.Kind == schemas.String, source.Form == schemas.FormUnknown && target.Kind == schemas.Array:
		return schemas.Type{Kind: schemas.String}, true // PostgreSQL's literal, at both sides
	case target.Kind == schemas.String && source.Kind != schemas.Bytes:
		return source, true
	}
	joined, ok := warehouse.Join(source, target)
	return joined, ok && joined.Kind != schemas.Invalid
}

func isInt(k schemas.Kind) bool {
	return k == schemas.Int16 || k == schemas.Int32 || k == schemas.Int64
}

func (c *comparison) compare(ctx context.Context) error {
	whole, err := c.places(ctx)
	if err != nil {
		return err
	}
	return c.compareSpan(ctx, whole, true)
}

// places chooses what the rows' places are, and returns the span of all of them.
func (c *comparison) places(ctx context.Context) (span, error) {
	byHash := span{0, lastPlace}
	s, t := c.source.query, c.target.query
	if len(s.key) != 1 || !isInt(s.columns[s.key[0]].Type.Kind) || !isInt(t.columns[t.key[0]].Type.Kind) {
		return byHash, nil
	}
	var whole span
	any := false
	for _, side := range []*side{&c.source, &c.target} {
		nulls, err := side.reader.Query(ctx, side.query.nullKeys())
		if err != nil {
			return whole, err
		}
		if nulls[0][0] != "0" {
			return byHash, nil
		}
		rows, err := side.reader.Query(ctx, side.query.bounds())
		if err != nil {
			return whole, err
		}
		if len(rows) == 0 {
			continue
		}
		lo, err1 := strconv.ParseInt(rows[0][0], 10, 64)
		hi, err2 := strconv.ParseInt(rows[0][1], 10, 64)
		if err1 != nil || err2 != nil {
			return whole, fmt.Errorf("bounds of the key: %q", rows[0])
		}
		if any {
			lo, hi = min(lo, whole.lo), max(hi, whole.hi)
		}
		whole, any = span{lo, hi}, true
	}
	if whole.hi-whole.lo < 0 { // the difference does not fit into 64 bits
		return byHash, nil
	}
	s.byKey, t.byKey = true, true
	return whole, nil
}

// compareSpan sums up the parts of a span at both sides and looks into those that differ. The first call also makes
// the sums of the whole tables.
func (c *comparison) compareSpan(ctx context.Context, s span, first bool) error {
	width := (s.hi-s.lo)/parts + 1
	source, target, err := both(ctx, c, func(q *Query) (string, error) { return q.sums(s, width) })
	if err != nil {
		return err
	}
	sums := [2]map[int64]*summary{}
	for i, rows := range [2][][]string{source, target} {
		if sums[i], err = parseSums(rows); err != nil {
			return err
		}
	}
	if first {
		for _, sum := range sums[0] {
			c.source.sum.add(sum)
		}
		for _, sum := range sums[1] {
			c.target.sum.add(sum)
		}
	}
	for part := range int64(parts) {
		a, b := sums[0][part], sums[1][part]
		if a == nil {
			a = &summary{}
		}
		if b == nil {
			b = &summary{}
		}
		if a.equal(b) {
			continue
		}
		if c.result.More {
			return nil
		}
		inner := span{s.lo + part*width, min(s.hi, s.lo+part*width+width-1)}
		if max(a.rows, b.rows) <= readRows || width == 1 {
			err = c.compareRows(ctx, inner)
		} else {
			err = c.compareSpan(ctx, inner, false)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// both runs a statement at both sides at once.
func both(ctx context.Context, c *comparison, statement func(*Query) (string, error)) (source, target [][]string, err error) {
	g, ctx := errgroup.WithContext(ctx)
	ask := func(s *side, where string, rows *[][]string) {
		g.Go(func() error {
			sql, err := statement(s.query)
			if err == nil {
				*rows, err = s.reader.Query(ctx, sql)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", where, err)
			}
			return nil
		})
	}
	ask(&c.source, "source", &source)
	ask(&c.target, "target", &target)
	return source, target, g.Wait()
}

func parseSums(rows [][]string) (map[int64]*summary, error) {
	sums := map[int64]*summary{}
	for _, row := range rows {
		var s summary
		part, err := strconv.ParseInt(row[0], 10, 64)
		if err == nil {
			s.rows, err = strconv.ParseInt(row[1], 10, 64)
		}
		_, ok1 := s.first.SetString(row[2], 10)
		_, ok2 := s.second.SetString(row[3], 10)
		if err != nil || !ok1 || !ok2 {
			return nil, fmt.Errorf("sums of a range: %q", row)
		}
		sums[part] = &s
	}
	return sums, nil
}

// compareRows reads the rows of a span and names those that differ.
func (c *comparison) compareRows(ctx context.Context, s span) error {
	source, target, err := both(ctx, c, func(q *Query) (string, error) { return q.rows(s, distinctRows) })
	if err != nil {
		return err
	}
	// When not all rows were read, one that only one side showed may be at the other too.
	cut := len(source) == distinctRows || len(target) == distinctRows
	a, b := c.group(source), c.group(target)
	for _, key := range sortedKeys(a, b) {
		if !cut || a[key] != nil && b[key] != nil {
			c.compareKey(a[key], b[key])
		}
	}
	c.result.More = c.result.More || cut
	return nil
}

// counted is a row and how often it is there.
type counted struct {
	fields []string
	times  int64
}

// group gathers rows by their key's fields, or by all fields without a key.
func (c *comparison) group(rows [][]string) map[string][]counted {
	n := len(c.names)
	groups := map[string][]counted{}
	for _, row := range rows {
		by := row[:n]
		if key := c.source.query.key; len(key) > 0 {
			by = make([]string, len(key))
			for i, k := range key {
				by[i] = row[k]
			}
		}
		key := fmt.Sprintf("%q", by)
		times, _ := strconv.ParseInt(row[n], 10, 64)
		groups[key] = append(groups[key], counted{row[:n], times})
	}
	return groups
}

func sortedKeys(a, b map[string][]counted) []string {
	var keys []string
	for key := range a {
		keys = append(keys, key)
	}
	for key := range b {
		if a[key] == nil {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

func total(rows []counted) (n int64) {
	for _, r := range rows {
		n += r.times
	}
	return n
}

// compareKey compares the rows of one key.
func (c *comparison) compareKey(source, target []counted) {
	d := Difference{SourceRows: total(source), TargetRows: total(target)}
	switch {
	case len(target) == 0:
		d.Kind, d.Key = MissingRow, c.keyOf(source[0])
	case len(source) == 0:
		d.Kind, d.Key = ExtraRow, c.keyOf(target[0])
	case d.SourceRows != d.TargetRows:
		d.Kind, d.Key = OtherCount, c.keyOf(source[0])
	default:
		d.Kind, d.Key = DifferentRow, c.keyOf(source[0])
		for i, name := range c.names {
			if a, b := source[0].fields[i], target[0].fields[i]; a != b {
				d.Columns = append(d.Columns, c.columnDifference(name, i, a, b))
			}
		}
		if len(d.Columns) == 0 {
			if len(source) == 1 && len(target) == 1 {
				return // equal
			}
			d.Kind = OtherCount
		}
	}
	c.differ(d)
}

// keyOf gives the key's columns, or all of them without a key.
func (c *comparison) keyOf(row counted) []ColumnText {
	key := c.source.query.key
	if len(key) == 0 {
		key = c.source.query.all()
	}
	texts := make([]ColumnText, len(key))
	for n, i := range key {
		texts[n] = ColumnText{c.names[i], show(row.fields[i], c.source.query.forms[i])}
	}
	return texts
}

func (c *comparison) columnDifference(name string, i int, source, target string) ColumnDifference {
	form := c.source.query.forms[i]
	return ColumnDifference{Column: name, Source: show(source, form), Target: show(target, form)}
}
