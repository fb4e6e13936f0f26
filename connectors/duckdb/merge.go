package duckdb

import (
	"fmt"
	"slices"
	"strings"

	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/framework/verify"
	"github.com/syncline-io/syncline/framework/warehouse"
	"github.com/syncline-io/syncline/schemas"
)

// The names of the temporary tables of a batch. They live within its transaction.
const (
	stageName = "syncline_stage"
	wholeName = "syncline_whole"
	netName   = "syncline_net"
)

// merge holds what the statements for one table at one version are made of.
type merge struct {
	table  *sink.Table
	target *target
	// at holds, by column of the table, the index of the target's column.
	at []int
	// stageTypes holds, by column of the table, its type in the stage.
	stageTypes []string
	// others holds the names of the columns that only the target has: they keep their values in an update.
	others []string
}

// newMerge compiles t, for whose columns the target has the given names.
func newMerge(t *sink.Table, have *target, columns []string) (*merge, error) {
	m := &merge{table: t, target: have}
	for i := range t.Columns {
		c := &t.Columns[i]
		at := have.column(columns[i])
		if at < 0 {
			return nil, fmt.Errorf("table %s: column %q is not in the target", t, c.Name)
		}
		stageType, err := stageType(have.columns[at].columnType, c.Type)
		if err != nil {
			return nil, conflict(t, c.Name, err.Error())
		}
		m.at = append(m.at, at)
		m.stageTypes = append(m.stageTypes, stageType)
	}
	for i := range have.columns {
		if !slices.Contains(m.at, i) {
			m.others = append(m.others, have.columns[i].name)
		}
	}
	return m, nil
}

// keepWords is the number of 64-bit masks that hold one bit per column.
func (m *merge) keepWords() int { return (len(m.table.Columns) + 63) / 64 }

// createStage makes the table that a batch is loaded into: its place in the batch, whether the row goes, which columns
// keep the target's value, and the columns.
func (m *merge) createStage() string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TEMP TABLE %s (ord BIGINT, gone BOOLEAN", stageName)
	for w := range m.keepWords() {
		fmt.Fprintf(&b, ", keep%d UBIGINT", w)
	}
	for i, stageType := range m.stageTypes {
		fmt.Fprintf(&b, ", c%d %s", i, stageType)
	}
	b.WriteString(")")
	return b.String()
}

func (m *merge) truncate() string { return "TRUNCATE " + m.target.quoted() }

// name is column i's name in the target, quoted.
func (m *merge) name(i int) string { return warehouse.QuoteName(m.target.columns[m.at[i]].name) }

func (m *merge) columnList() string {
	list := make([]string, len(m.at))
	for i := range list {
		list[i] = m.name(i)
	}
	return strings.Join(list, ", ")
}

// stageList lists the stage's columns, each with the prefix.
func (m *merge) stageList(prefix string) string {
	list := make([]string, len(m.at))
	for i := range list {
		list[i] = fmt.Sprintf("%sc%d", prefix, i)
	}
	return strings.Join(list, ", ")
}

// sameKey compares the key of target t and stage s. A decimal kept as its text is compared as a number, as the source
// and the batch's folding do: a key that went from 1.0 to 1.00 is one and the same.
func (m *merge) sameKey() string {
	terms := make([]string, len(m.table.Key))
	for n, i := range m.table.Key {
		equals := "="
		if m.table.Columns[i].Nullable {
			equals = "IS NOT DISTINCT FROM"
		}
		ours, staged := "t."+m.name(i), fmt.Sprintf("s.c%d", i)
		if m.table.Columns[i].Type.Kind == schemas.Decimal && m.stageTypes[i] == "VARCHAR" {
			ours, staged = verify.TrimDecimal(ours), verify.TrimDecimal(staged)
		}
		terms[n] = ours + " " + equals + " " + staged
	}
	return strings.Join(terms, " AND ")
}

// deleteStaged removes every row whose key is in the stage.
func (m *merge) deleteStaged() string {
	return fmt.Sprintf("DELETE FROM %s t USING %s s WHERE %s", m.target.quoted(), stageName, m.sameKey())
}

// insertStaged adds the rows of the stage that do not go.
func (m *merge) insertStaged() string {
	return fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s s WHERE NOT s.gone",
		m.target.quoted(), m.columnList(), m.stageList("s."), stageName)
}

// keeps is true for a staged row whose column i keeps the target's value.
func keeps(i int) string { return fmt.Sprintf("s.keep%d & %d <> 0", i/64, uint64(1)<<(i%64)) }

// partial is true for a staged row that keeps any value of the target's.
func (m *merge) partial() string {
	terms := make([]string, m.keepWords())
	for w := range terms {
		terms[w] = fmt.Sprintf("s.keep%d <> 0", w)
	}
	return "(" + strings.Join(terms, " OR ") + ")"
}

// missingPartial returns the key of a staged row that keeps values of a row that is not there.
func (m *merge) missingPartial() string {
	return fmt.Sprintf("SELECT %s FROM %s s WHERE %s AND NOT EXISTS (SELECT 1 FROM %s t WHERE %s) LIMIT 1",
		m.keyTexts("s."), stageName, m.partial(), m.target.quoted(), m.sameKey())
}

// keyTexts lists the key's values of the stage as texts.
func (m *merge) keyTexts(prefix string) string {
	list := make([]string, len(m.table.Key))
	for n, i := range m.table.Key {
		list[n] = fmt.Sprintf("CAST(%sc%d AS VARCHAR)", prefix, i)
	}
	return strings.Join(list, ", ")
}

// createWhole completes the stage by what the target has: the values of unchanged (the columns that some row of the
// batch keeps) and those of the other columns. The rows are then deleted and inserted like any others: UPDATE, and
// MERGE with it, leaves a value as it is when it compares equal to the new one, although they are not the same (0 and
// -0, one month and 30 days).
func (m *merge) createWhole(unchanged []uint64) string {
	values := make([]string, 0, len(m.at)+len(m.others))
	for i := range m.at {
		value := fmt.Sprintf("s.c%d", i)
		if unchanged[i/64]&(1<<(i%64)) != 0 {
			value = fmt.Sprintf("CASE WHEN %s THEN t.%s ELSE %s END AS c%d", keeps(i), m.name(i), value, i)
		}
		values = append(values, value)
	}
	for i, name := range m.others {
		values = append(values, fmt.Sprintf("t.%s AS x%d", warehouse.QuoteName(name), i))
	}
	return fmt.Sprintf("CREATE TEMP TABLE %s AS SELECT s.ord, t.rowid IS NOT NULL AS found, %s FROM %s s LEFT JOIN %s t ON %s WHERE NOT s.gone",
		wholeName, strings.Join(values, ", "), stageName, m.target.quoted(), m.sameKey())
}

// insertFound adds the completed rows that were there before, with their other columns.
func (m *merge) insertFound() string {
	columns, values := m.columnList(), m.stageList("w.")
	for i, name := range m.others {
		columns += ", " + warehouse.QuoteName(name)
		values += fmt.Sprintf(", w.x%d", i)
	}
	return fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s w WHERE w.found", m.target.quoted(), columns, values, wholeName)
}

// insertNew adds the completed rows that were not there: other columns get their defaults.
func (m *merge) insertNew() string {
	return fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s w WHERE NOT w.found", m.target.quoted(), m.columnList(), m.stageList("w."), wholeName)
}

// createNet sums up the stage of a table without key: per distinct row, how many more (or fewer) of it there will be,
// and how many must be there already for every removal to find its row at its turn.
func (m *merge) createNet() string {
	casts, groups, firsts := make([]string, len(m.at)), make([]string, len(m.at)), make([]string, len(m.at))
	for i := range m.at {
		columnType := m.target.columns[m.at[i]].columnType
		casts[i] = fmt.Sprintf("CAST(c%d AS %s) AS c%d", i, columnType, i)
		groups[i] = identity(fmt.Sprintf("c%d", i), columnType)
		firsts[i] = fmt.Sprintf("first(c%d) AS c%d", i, i)
	}
	by := strings.Join(groups, ", ")
	return fmt.Sprintf("CREATE TEMP TABLE %s AS WITH s AS (SELECT ord, CASE WHEN gone THEN -1 ELSE 1 END AS delta, %s FROM %s),"+
		" run AS (SELECT *, sum(delta) OVER (PARTITION BY %s ORDER BY ord) AS balance FROM s)"+
		" SELECT %s, CAST(sum(delta) AS BIGINT) AS net, CAST(greatest(0, -min(balance)) AS BIGINT) AS needed FROM run GROUP BY %s",
		netName, strings.Join(casts, ", "), stageName, by, strings.Join(firsts, ", "), by)
}

// sameRow compares a row of target t with one of net n.
func (m *merge) sameRow() string {
	terms := make([]string, len(m.at))
	for i := range m.at {
		c := &m.target.columns[m.at[i]]
		terms[i] = identity("t."+warehouse.QuoteName(c.name), c.columnType) + " IS NOT DISTINCT FROM " +
			identity(fmt.Sprintf("n.c%d", i), c.columnType)
	}
	return strings.Join(terms, " AND ")
}

// missingRow returns a row, as text, that must be removed and is not there.
func (m *merge) missingRow() string {
	return fmt.Sprintf("SELECT CAST(row(%s) AS VARCHAR) FROM %s n LEFT JOIN %s t ON %s WHERE n.needed > 0"+
		" GROUP BY n.rowid HAVING count(t.rowid) < first(n.needed) LIMIT 1",
		m.firsts("n."), netName, m.target.quoted(), m.sameRow())
}

func (m *merge) firsts(prefix string) string {
	list := make([]string, len(m.at))
	for i := range list {
		list[i] = fmt.Sprintf("first(%sc%d)", prefix, i)
	}
	return strings.Join(list, ", ")
}

// deleteNet removes as many of each row as the batch does.
func (m *merge) deleteNet() string {
	return fmt.Sprintf("DELETE FROM %[1]s WHERE rowid IN (SELECT id FROM (SELECT t.rowid AS id, n.net AS net,"+
		" row_number() OVER (PARTITION BY n.rowid) AS k FROM %[1]s t JOIN %[2]s n ON %[3]s WHERE n.net < 0) WHERE k <= -net)",
		m.target.quoted(), netName, m.sameRow())
}

// insertNet adds as many of each row as the batch does.
func (m *merge) insertNet() string {
	return fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM (SELECT *, unnest(range(net)) FROM %s WHERE net > 0) n",
		m.target.quoted(), m.columnList(), m.stageList("n."), netName)
}
