package postgres

import (
	"testing"

	"github.com/syncline-io/syncline/framework/source"
)

func TestSnapshotThenChanges(t *testing.T) {
	d := newDatabase(t)
	d.exec(`create table orders (id int primary key, note text, price numeric(10,2));
		insert into orders values (1, 'one', 1.50), (2, null, -2)`)
	r := d.start(d.config(), source.Position{}, newRecorder())
	r.waitCount(2)
	d.exec("insert into orders values (3, 'three', 0)")
	d.exec("update orders set note = 'zwei' where id = 2")
	d.exec("update orders set id = 10 where id = 1")
	d.exec("delete from orders where id = 3")
	d.exec("truncate orders")
	diff(t, texts(r.waitCount(8)),
		"r orders - (1,one,0096/2/0)",
		"r orders - (2,NULL,ff38/2/0)",
		"c orders - (3,three,00/2/0)",
		"u orders - (2,zwei,ff38/2/0)",
		"d orders k(1,NULL,NULL) - other 10",
		"c orders - (10,one,0096/2/0) other 1",
		"d orders k(3,NULL,NULL) -",
		"t orders - -",
	)
}
