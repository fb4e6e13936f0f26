package simtest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/framework/simtest/model"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/schemas"
)

// rowsRight: each row that is written holds what the source's row held at that version, column by column.
type rowsRight struct{ verdict }

func (v *rowsRight) Wrote(view model.View, b *sink.Batch) {
	for i := range b.Tables {
		tb := &b.Tables[i]
		if len(tb.Table.Key) == 0 {
			continue
		}
		tt := view.Table(tb.Table.String())
		for k := range tb.Rows {
			r := &tb.Rows[k]
			key := keyOf(tb.Table, r)
			row, there := tt.Rows[key]
			if !there || r.Action == sink.Delete || r.Partial && (v.w.plan.Setup.Class == model.Effective || v.w.resets.of(topicOf(int(tb.Table.Source.ID)-1))) {
				continue // a repeat of what was not sent whole stands on what came later
			}
			rowOf := model.Row{Table: tb.Table.Source.ID, Key: key}
			image, ok := v.w.upstream.At(rowOf, row.Version)
			if !ok || image.Values == nil {
				v.fail("%s key %s: a row of version %s, which the source did not have then", tb.Table, key, row.Version)
				continue
			}
			if why := differs(row, &image, tb.Table.Source); why != "" && !v.w.poisoned(rowOf, row.Version) {
				v.fail("%s key %s at version %s: %s", tb.Table, key, row.Version, why)
			}
		}
	}
}

// poisoned reports whether a value of the row was taken by nobody, up to v: what is left unchanged later is then the value
// before it.
func (w *World) poisoned(row model.Row, v schemas.Version) bool {
	for _, image := range w.upstream.History(row) {
		if image.Version.Compare(v) <= 0 && poisonous(&image) {
			return true
		}
	}
	return false
}

func keyOf(t *sink.Table, r *sink.Row) string { return model.KeyText(t.Source, r.Values) }

// differs compares a row of the target, whose table has the columns of now, with an image.
func differs(row model.TargetRow, image *model.Image, now *schemas.Table) string {
	for i := range image.Table.Columns {
		c := &image.Table.Columns[i]
		for k := range now.Columns {
			if now.Columns[k].ID != c.ID {
				continue
			}
			if got, want := row.Values[now.Columns[k].Name], model.ValueText(&c.Type, image.Values[i]); got != want {
				return fmt.Sprintf("column %s is %.60q, the source had %.60q", now.Columns[k].Name, got, want)
			}
		}
	}
	return ""
}

// rowsForward: no row of the target goes back to an older version, and with a ledger none is written twice. A target
// that takes whatever comes last may be given a replay, from an offset that was committed.
type rowsForward struct {
	verdict
	last map[model.Row]schemas.Version
}

func (v *rowsForward) Wrote(_ model.View, b *sink.Batch) {
	if v.w.plan.Setup.Class != model.Transactional {
		return // the ones' guard is the model's own, the others may repeat
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.last == nil {
		v.last = map[model.Row]schemas.Version{}
	}
	for _, m := range b.Moves {
		if v.w.resets.moved(model.TopicPartition{Topic: m.Topic, Partition: m.Partition.Partition}) {
			table := uint32(v.w.work.tableOf(m.Topic) + 1)
			maps.DeleteFunc(v.last, func(r model.Row, _ schemas.Version) bool { return r.Table == table })
		}
	}
	for i := range b.Tables {
		tb := &b.Tables[i]
		if len(tb.Table.Key) == 0 {
			continue
		}
		for k := range tb.Rows {
			r := &tb.Rows[k]
			row := model.Row{Table: tb.Table.Source.ID, Key: keyOf(tb.Table, r)}
			if last := v.last[row]; r.Version.Compare(last) <= 0 {
				v.fail("%s key %s: version %s is written after %s", tb.Table, row.Key, r.Version, last)
			}
			v.last[row] = r.Version
		}
	}
}

// truncateFloor: once a truncate has passed, no row from before it is left.
type truncateFloor struct{ verdict }

func (v *truncateFloor) Wrote(view model.View, b *sink.Batch) {
	for i := range b.Tables {
		tb := &b.Tables[i]
		if !tb.Truncate || len(tb.Table.Key) == 0 || len(b.Moves) == 0 {
			continue
		}
		var reached schemas.Version
		for _, m := range b.Moves {
			if v.w.work.tableOf(m.Topic) == int(tb.Table.Source.ID)-1 && m.Applied.Compare(reached) > 0 {
				reached = m.Applied
			}
		}
		floor := v.w.upstream.Floor(tb.Table.Source.ID, reached)
		for key, row := range view.Table(tb.Table.String()).Rows {
			if row.Version.Compare(floor) < 0 {
				v.fail("%s key %s: version %s is still there after the truncate %s", tb.Table, key, row.Version, floor)
			}
		}
	}
}

// ledgerBehind: whenever the ledger moves, every change up to there is in the rows. Of a topic with one partition the version
// says at once which rows those are, and which may not be there; of any other that is known in the end, by the records that
// the ledger has passed with each batch.
type ledgerBehind struct {
	verdict
	steps []ledgerStep
}

// ledgerStep is one move of the ledger, and the table as it was then.
type ledgerStep struct {
	at       model.TopicPartition
	from, to int64
	table    *model.TargetTable
}

func (v *ledgerBehind) Wrote(view model.View, b *sink.Batch) {
	s := &v.w.plan.Setup
	if s.Class != model.Transactional {
		return
	}
	for _, m := range b.Moves {
		t := v.w.work.tableOf(m.Topic)
		if t < 0 || t == events {
			continue
		}
		table := view.Table(v.w.work.tables[t].String())
		v.mu.Lock()
		v.steps = append(v.steps, ledgerStep{model.TopicPartition{Topic: m.Topic, Partition: m.Partition.Partition}, m.Next, m.To, table})
		v.mu.Unlock()
		if s.Partitions == 1 && !s.Poison && m.Applied.High > 0 && !ofSnapshot(m.Applied) && !v.w.resets.of(m.Topic) {
			v.compare(table, t, m.Applied)
		}
	}
}

func (v *ledgerBehind) End(o *Outcome) {
	dead := v.w.buriedVersions(o)
	for _, n := range v.steps {
		records := o.Records[n.at]
		passed := v.w.newestBelow(o, n.at, n.to)
		first, _ := slices.BinarySearchFunc(records, n.from, func(r *kgo.Record, at int64) int { return cmp.Compare(r.Offset, at) })
		for _, r := range records[first:] {
			if r.Offset >= n.to {
				break
			}
			if why := v.w.notReached(n.table, v.w.work.tableOf(n.at.Topic), r, passed, dead); why != "" {
				v.fail("%s/%d: the ledger goes from %d to %d, and %s", n.at.Topic, n.at.Partition, n.from, n.to, why)
				break
			}
		}
	}
}

// buriedVersions are the versions of the sink's dead letters: by version, because the repeat of a dead letter is left out.
func (w *World) buriedVersions(o *Outcome) map[schemas.Version]bool {
	dead := map[schemas.Version]bool{}
	for _, r := range o.SinkDead {
		if version, ok := versionOf(r); ok {
			dead[version] = true
		}
	}
	return dead
}

// newestBelow is the newest version before an offset of a partition. Every partition has every truncate, and all pass it together:
// one that is newer has not removed anything when the partition stands there. After a reset it may have.
func (w *World) newestBelow(o *Outcome, at model.TopicPartition, end int64) (newest schemas.Version) {
	if w.resets.of(at.Topic) {
		return schemas.Version{High: 1 << 62}
	}
	for _, r := range o.Records[at] {
		if r.Offset >= end {
			break
		}
		if v, ok := versionOf(r); ok && v.Compare(newest) > 0 {
			newest = v
		}
	}
	return newest
}

// notReached says that the change in a record is not in the table, nor something later up to passed; "" when it is, or cannot be
// told.
func (w *World) notReached(tt *model.TargetTable, t int, r *kgo.Record, passed schemas.Version, dead map[schemas.Version]bool) string {
	version, ok := versionOf(r)
	if !ok || r.Value == nil || ofSnapshot(version) || dead[version] {
		return ""
	}
	if row, ok := w.rowAt(t, version); ok && !w.reached(tt, row, version, passed) {
		return fmt.Sprintf("the change %s at offset %d is not in the target", version, r.Offset)
	}
	return ""
}

func (v *ledgerBehind) compare(tt *model.TargetTable, t int, at schemas.Version) {
	for _, row := range v.w.upstream.Known() {
		if int(row.Table) != t+1 {
			continue
		}
		image, was := v.w.upstream.At(row, at)
		var held model.TargetRow
		there := false
		if tt != nil {
			held, there = tt.Rows[row.Key]
		}
		switch {
		case !was || image.Values == nil:
			if there {
				v.fail("%s: the ledger stands at %s, and row %s is still there", topicOf(t), at, row.Key)
			}
		case !there:
			v.fail("%s: the ledger stands at %s, and row %s of %s is not there", topicOf(t), at, row.Key, image.Version)
		default:
			if known, ok := v.w.upstream.At(row, held.Version); !ok || known.Version != image.Version {
				v.fail("%s: the ledger stands at %s, and row %s is of %s, not %s", topicOf(t), at, row.Key, held.Version, image.Version)
			}
		}
	}
}

// offsetsBehind: what the consumer group is told is in the target already.
type offsetsBehind struct {
	verdict
	notes []offsetNote
}

type offsetNote struct {
	at    model.TopicPartition
	next  int64
	table *model.TargetTable // as it was then
}

func (v *offsetsBehind) Committed(topic string, partition int32, next int64) {
	t := v.w.work.tableOf(topic)
	if t < 0 || t == events || v.w.plan.Setup.Class == model.Effective && v.w.plan.Setup.AtLeastOnce {
		return // repeats under later offsets undo what is later than they are, until what follows them is repeated too
	}
	n := offsetNote{at: model.TopicPartition{Topic: topic, Partition: partition}, next: next}
	v.w.target.Look(func(view model.View) { n.table = view.Table(v.w.work.tables[t].String()) })
	v.mu.Lock()
	defer v.mu.Unlock()
	v.notes = append(v.notes, n)
}

func (v *offsetsBehind) End(o *Outcome) {
	dead := v.w.buriedVersions(o)
	for _, n := range v.notes {
		t := v.w.work.tableOf(n.at.Topic)
		passed := schemas.Version{High: 1 << 62} // the target may be ahead of what the group was told
		for _, r := range o.Records[n.at] {
			if r.Offset >= n.next {
				break
			}
			if why := v.w.notReached(n.table, t, r, passed, dead); why != "" {
				v.fail("%s/%d: the group is told %d, and %s", n.at.Topic, n.at.Partition, n.next, why)
				break
			}
		}
	}
}

// reached reports whether a change of a row is in the table, or something later is: of truncates those up to passed.
func (w *World) reached(tt *model.TargetTable, row model.Row, version, passed schemas.Version) bool {
	if tt == nil {
		return false
	}
	if held, ok := tt.Rows[row.Key]; ok && held.Version.Compare(version) >= 0 {
		return true
	}
	if gone, ok := tt.Gone[row.Key]; ok && gone.Compare(version) >= 0 {
		return true
	}
	return w.upstream.Floor(row.Table, passed).Compare(version) > 0
}

// rowAt returns which row a change was about.
func (w *World) rowAt(t int, v schemas.Version) (model.Row, bool) {
	w.rowsOnce.Do(func() {
		w.rowsBy = map[schemas.Version]model.Row{}
		for _, c := range w.upstream.Changes() {
			if c.Op != schemas.Truncate && len(c.Table.KeyColumns()) > 0 {
				w.rowsBy[c.Version] = model.Row{Table: c.Table.ID, Key: model.KeyText(c.Table, c.Key())}
			}
		}
	})
	row, ok := w.rowsBy[v]
	return row, ok && int(row.Table) == t+1
}

// targetEqual: in the end the target holds what the source holds. A row with a dead letter in its past is only held to
// that from the first whole row after it.
type targetEqual struct{ verdict }

func (v *targetEqual) End(o *Outcome) {
	excused := v.w.excused(o)
	for t, table := range v.w.upstream.Current() {
		keyed, list := v.w.upstream.Rows(t)
		v.w.target.Look(func(view model.View) {
			tt := view.Table(table.String())
			if tt == nil {
				if len(keyed)+len(list) > 0 {
					v.fail("the target has no table %s", table)
				}
				return
			}
			if t == events {
				v.list(table, tt, list)
				return
			}
			v.rows(table, tt, keyed, excused)
		})
	}
}

func (v *targetEqual) rows(table *schemas.Table, tt *model.TargetTable, want map[string][]schemas.Value, excused map[model.Row]bool) {
	for key, row := range want {
		if excused[model.Row{Table: table.ID, Key: key}] {
			continue
		}
		held, ok := tt.Rows[key]
		if !ok {
			v.fail("%s: row %s is missing", table, key)
			continue
		}
		// A row that has not changed since a column came has in the target what the source filled in.
		if why := differs(held, &model.Image{Table: table, Values: row}, tt.Source); why != "" && sameColumns(tt.Source, table) {
			v.fail("%s row %s (version %s): %s", table, key, held.Version, why)
		}
	}
	for key, held := range tt.Rows {
		if want[key] == nil && !excused[model.Row{Table: table.ID, Key: key}] {
			v.fail("%s: row %s of version %s is too many", table, key, held.Version)
		}
	}
}

// sameColumns reports whether a has every column of b: the last change of a table's columns reaches the target with the
// next row only.
func sameColumns(a, b *schemas.Table) bool {
	for _, c := range b.Columns {
		if !slices.ContainsFunc(a.Columns, func(d schemas.Column) bool { return d.ID == c.ID && d.Name == c.Name }) {
			return false
		}
	}
	return true
}

func (v *targetEqual) list(table *schemas.Table, tt *model.TargetTable, rows [][]schemas.Value) {
	var want []string
	for _, row := range rows {
		values := map[string]string{}
		for i := range table.Columns {
			values[table.Columns[i].Name] = model.ValueText(&table.Columns[i].Type, row[i])
		}
		want = append(want, model.Line(values))
	}
	got := slices.Clone(tt.List)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		v.fail("%s: %d rows, want %d, or others: %v, want %v", table, len(got), len(want), got, want)
	}
}

// origin is where a dead letter came from.
type origin struct {
	model.TopicPartition
	offset int64
}

// buried returns the records that are dead letters of the sink.
func (w *World) buried(o *Outcome) map[origin]bool {
	all := map[origin]bool{}
	for _, r := range o.SinkDead {
		partition, err := strconv.ParseInt(headerOf(r, "__connect.errors.partition"), 10, 32)
		offset, err2 := strconv.ParseInt(headerOf(r, "__connect.errors.offset"), 10, 64)
		if err == nil && err2 == nil {
			all[origin{model.TopicPartition{Topic: headerOf(r, "__connect.errors.topic"), Partition: int32(partition)}, offset}] = true
		}
	}
	return all
}

// excused returns the rows whose last whole change, or a change after it, is a dead letter.
func (w *World) excused(o *Outcome) map[model.Row]bool {
	dead := map[schemas.Version]bool{}
	for _, r := range append(append([]*kgo.Record(nil), o.SourceDead...), o.SinkDead...) {
		if version, ok := versionOf(r); ok {
			dead[version] = true
		}
	}
	rows := map[model.Row]bool{}
	for _, row := range w.upstream.Known() {
		for _, image := range w.upstream.History(row) {
			switch {
			case image.Truncated || dead[image.Version]:
				rows[row] = dead[image.Version]
			case !image.Partial:
				rows[row] = false
			}
		}
	}
	// The snapshot's rows have versions of their own.
	for _, r := range append(append([]*kgo.Record(nil), o.SourceDead...), o.SinkDead...) {
		if version, ok := versionOf(r); ok && ofSnapshot(version) {
			w.excuseSnapshot(o, rows, version)
		}
	}
	return rows
}

// excuseSnapshot excuses the rows that were dead letters in a snapshot and have had no whole change since: any row whose
// value at that point is one that nobody takes.
func (w *World) excuseSnapshot(_ *Outcome, rows map[model.Row]bool, at schemas.Version) {
	for _, row := range w.upstream.Known() {
		image, ok := w.upstream.At(row, schemas.Version{High: at.High})
		if !ok || !poisonous(&image) {
			continue
		}
		excuse := true
		for _, later := range w.upstream.History(row) {
			if later.Version.Compare(at) > 0 && !later.Partial {
				excuse = false
			}
		}
		rows[row] = rows[row] || excuse
	}
}

// poisonous reports whether nobody takes the row: the target refuses it, or no topic has room for it.
func poisonous(image *model.Image) bool {
	for _, v := range image.Values {
		if v.Kind() == schemas.KindBytes && (v.String() == poison || len(v.Bytes()) > recordMax) {
			return true
		}
	}
	return false
}

// lettersAccount: what is in the dead letters has a reason, and what has one and is nowhere else is in the dead letters.
type lettersAccount struct{ verdict }

func (v *lettersAccount) End(o *Outcome) {
	for _, r := range o.SinkDead {
		v.justified(o, r)
	}
	buried := v.w.buried(o)
	for tp, records := range o.Records {
		if v.w.work.tableOf(tp.Topic) < 0 {
			continue
		}
		for _, r := range records {
			if _, ours := versionOf(r); !ours && !buried[origin{tp, r.Offset}] {
				v.fail("%s/%d offset %d cannot be read, and is not in the dead letters", tp.Topic, tp.Partition, r.Offset)
			}
		}
	}
	v.last(o)
}

// justified looks for the reason of a dead letter of the sink.
func (v *lettersAccount) justified(_ *Outcome, r *kgo.Record) {
	version, ours := versionOf(r)
	t := v.w.work.tableOf(headerOf(r, "__connect.errors.topic"))
	row, known := v.w.rowAt(t, version)
	if !ours || ofSnapshot(version) || !known {
		return
	}
	// A change without all values has a reason when an earlier one of the row was not taken, or the row was removed.
	if v.w.poisoned(row, version) || v.w.plan.Setup.Class != model.Transactional && v.removedAfter(row, version) {
		return
	}
	v.fail("change %s of %s is a dead letter without a reason: %s", version, row, headerOf(r, "__connect.errors.exception.message"))
}

// present leaves out the columns that the table has no more: a backlog is written under the table's last version.
func (w *World) present(image *model.Image) *model.Image {
	kept := *image
	kept.Values = nil
	now := w.upstream.Current()[image.Table.ID-1]
	for i, v := range image.Values {
		for k := range now.Columns {
			if now.Columns[k].ID == image.Table.Columns[i].ID {
				kept.Values = append(kept.Values, v)
			}
		}
	}
	return &kept
}

// removedAfter: where repeats are applied again, a change without all values finds its row gone that was removed later.
func (v *lettersAccount) removedAfter(row model.Row, version schemas.Version) bool {
	for _, image := range v.w.upstream.History(row) {
		if image.Version.Compare(version) > 0 && image.Values == nil {
			return true
		}
	}
	return false
}

// last looks at rows whose present values nobody takes.
func (v *lettersAccount) last(o *Outcome) {
	dead := map[schemas.Version]bool{}
	snapshots := false
	for _, r := range append(append([]*kgo.Record(nil), o.SourceDead...), o.SinkDead...) {
		if version, ok := versionOf(r); ok {
			dead[version] = true
			snapshots = snapshots || ofSnapshot(version)
		}
	}
	for _, row := range v.w.upstream.Known() {
		images := v.w.upstream.History(row)
		image := &images[len(images)-1]
		point := o.Snapshots[image.Table.String()]
		if poisonous(v.w.present(image)) && !dead[image.Version] && !(snapshots && image.Version.High < point) {
			v.fail("%s: the change %s is taken by nobody, and is not in the dead letters", row, image.Version)
		}
	}
}
