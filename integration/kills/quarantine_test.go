package kills

import (
	"fmt"

	"github.com/syncline-io/syncline/framework/publish"
	"github.com/syncline-io/syncline/integration/programs"
)

// quarantineChain kills a source that sets a table aside whose schema the registry refuses, and brings it home.
var quarantineChain = chain{
	name: "quarantine", victim: "source", sink: "postgres-sink",
	source: "on_refused_schema: quarantine\n",
	tables: `
CREATE TABLE strict (id int PRIMARY KEY, v text);
CREATE TABLE other (id int PRIMARY KEY, v text);
INSERT INTO strict SELECT i, 'v' FROM generate_series(1, 50) i;
INSERT INTO other SELECT i, 'v' FROM generate_series(1, 50) i;
`,
	kills: []kill{
		{at: "publish.after-quarantine-topic", down: goAstray, dead: change2, up: comeHome},
		{at: "publish.home-after-fence", down: setAside, dead: change2, up: atHome},
		{at: "publish.home-after-description", down: setAside, dead: change2, up: atHome},
		{at: "publish.home-before-commit", down: setAside, dead: change2, up: atHome},
		{at: "publish.home-after-commit", down: setAside, dead: change2, up: atHome},
		{at: "publish.home-before-removal", down: setAside, dead: change2, up: atHome},
		{at: "publish.home-after-removal", down: setAside, dead: change2, up: atHome},
	},
}

// goAstray changes the table in a way that readers of its new schema could not read its old rows. A source that has not begun
// yet reads the table first.
func goAstray(p *pipeline) {
	if p.column == 0 {
		p.source.Start()
		p.published()
		p.stop(p.source)
		p.compatibility("strict", "BACKWARD")
	}
	p.column++
	p.exec(fmt.Sprintf("ALTER TABLE strict ADD COLUMN c%[1]d int; UPDATE strict SET c%[1]d = id; ALTER TABLE strict ALTER c%[1]d SET NOT NULL", p.column))
	change2(p)
}

// change2 writes to the table in quarantine and to another one.
func change2(p *pipeline) {
	p.round++
	p.exec(fmt.Sprintf("UPDATE strict SET v = 'round %[1]d' WHERE id %% 5 = 1; DELETE FROM strict WHERE id = %[1]d; UPDATE strict SET id = id + 1000 WHERE id = %[1]d + 20", p.round))
	p.exec(fmt.Sprintf("UPDATE other SET v = 'round %d'", p.round))
}

// setAside has a whole tenure with the table in quarantine, after which the registry takes everything.
func setAside(p *pipeline) {
	goAstray(p)
	p.source.Start()
	p.published()
	aside(p, true)
	p.stop(p.source)
	p.compatibility("strict", "FORWARD") // which takes it: who has the old schema can read the new rows
}

// atHome waits until the table is in quarantine no more, and has the registry be strict again.
func atHome(p *pipeline) {
	p.published()
	aside(p, false)
	p.compatibility("strict", "BACKWARD")
}

// comeHome is for a source that has gone on with the table in quarantine.
func comeHome(p *pipeline) {
	p.published()
	aside(p, true)
	p.compatibility("strict", "FORWARD")
	p.restartSource()
	atHome(p)
}

// aside waits until the table is in quarantine, or is not: the brokers delete a topic a moment after they have said so.
func aside(p *pipeline, want bool) {
	p.t.Helper()
	name := p.topic("strict.quarantine")
	programs.Eventually(p.t, patience, fmt.Sprintf("the table is in quarantine: %v", want), func() error {
		var s publish.Status
		if err := p.source.Status(&s); err != nil {
			return err
		}
		listed, err := p.admin.ListTopics(p.t.Context(), name)
		if err != nil {
			return err
		}
		exists := listed.Has(name) && listed[name].Err == nil
		if (len(s.Quarantined) == 1) != want || exists != want {
			return fmt.Errorf("topic there: %v; status: %+v", exists, s.Quarantined)
		}
		return nil
	})
}
