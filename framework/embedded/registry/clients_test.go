package registry

import (
	"errors"
	"net/http"
	"testing"

	"github.com/riferrei/srclient"
	"github.com/twmb/franz-go/pkg/sr"
)

func TestSrclientWorksUnchanged(t *testing.T) {
	url, _ := serve(t)
	c := srclient.NewSchemaRegistryClient(url)
	created, err := c.CreateSchema("s", one, srclient.Avro)
	if err != nil || created.ID() != 1 || created.Schema() != one {
		t.Fatalf("%+v, %v", created, err)
	}
	if _, err := c.CreateSchema("s", two, srclient.Avro); err != nil {
		t.Fatal(err)
	}
	c.ResetCache()
	latest, err := c.GetLatestSchema("s")
	if err != nil || latest.Version() != 2 || latest.ID() != 2 {
		t.Errorf("latest %+v, %v", latest, err)
	}
	if ok, err := c.IsSchemaCompatible("s", bad, "latest", srclient.Avro); ok || err != nil {
		t.Errorf("compatible %v, %v", ok, err)
	}
	if found, err := c.LookupSchema("s", oneAgain, srclient.Avro); err != nil || found.Version() != 1 {
		t.Errorf("lookup %+v, %v", found, err)
	}
	if versions, err := c.GetSubjectVersionsById(1); err != nil || len(versions) != 1 {
		t.Errorf("versions %+v, %v", versions, err)
	}
	if _, err := c.CreateSchema("money", money, srclient.Avro); err != nil {
		t.Fatal(err)
	}
	if made, err := c.CreateSchema("line", line, srclient.Avro, srclient.Reference{Name: "shop.Money", Subject: "money", Version: 1}); err != nil || len(made.References()) != 1 {
		t.Errorf("with a reference: %+v, %v", made, err)
	}
	if err := c.DeleteSubject("line", true); err != nil { // softly, then for good
		t.Error(err)
	}
	if err := c.DeleteSubjectByVersion("money", 1, false); err != nil {
		t.Error(err)
	}
	if names, err := c.GetSubjectsIncludingDeleted(); err != nil || len(names) != 2 {
		t.Errorf("subjects %v, %v", names, err)
	}
}

func TestFranzGosClientWorksUnchanged(t *testing.T) {
	url, _ := serve(t)
	ctx := t.Context()
	// Its own default client keeps idle connections for as long as the process lives.
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	c, err := sr.NewClient(sr.URLs(url), sr.HTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	wantCode := func(err error, code int) {
		t.Helper()
		if e, ok := errors.AsType[*sr.ResponseError](err); !ok || e.ErrorCode != code {
			t.Errorf("%v, want the error code %d", err, code)
		}
	}

	_, err = c.SupportedTypes(ctx)
	must(err)
	made, err := c.CreateSchema(ctx, "money", sr.Schema{Schema: money})
	must(err)
	_, err = c.CreateSchema(ctx, "line", sr.Schema{Schema: line, References: []sr.SchemaReference{{Name: "shop.Money", Subject: "money", Version: 1}}})
	must(err)
	if by, err := c.SchemaReferences(ctx, "money", 1); err != nil || len(by) != 1 || by[0].Subject != "line" {
		t.Errorf("referred to by %+v, %v", by, err)
	}
	if usages, err := c.SchemaUsagesByID(ctx, made.ID); err != nil || len(usages) != 1 {
		t.Errorf("usages %+v, %v", usages, err)
	}
	all, err := c.AllSchemas(ctx)
	if err != nil || len(all) != 2 {
		t.Errorf("all schemas %+v, %v", all, err)
	}
	found, err := c.LookupSchema(sr.WithParams(ctx, sr.Normalize), "money", sr.Schema{Schema: money})
	if err != nil || found.Version != 1 {
		t.Errorf("lookup %+v, %v", found, err)
	}
	check, err := c.CheckCompatibility(sr.WithParams(ctx, sr.Verbose), "money", -1, sr.Schema{Schema: `"int"`})
	if err != nil || check.Is || len(check.Messages) != 1 {
		t.Errorf("compatibility %+v, %v", check, err)
	}

	for _, r := range c.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatFullTransitive}, "money", "") {
		must(r.Err)
	}
	for _, r := range c.Compatibility(ctx, "money", "") {
		if r.Err != nil || r.Level != sr.CompatFullTransitive {
			t.Errorf("level %+v", r)
		}
	}
	for _, r := range c.ResetCompatibility(ctx, "money") {
		must(r.Err)
	}
	for _, r := range c.SetMode(ctx, sr.ModeReadOnly, "money") {
		must(r.Err)
	}
	_, err = c.CreateSchema(ctx, "money", sr.Schema{Schema: `"int"`})
	wantCode(err, 42205)
	for _, r := range c.ResetMode(ctx, "money") {
		must(r.Err)
	}
	for _, r := range c.Mode(ctx, "") {
		if r.Err != nil || r.Mode != sr.ModeReadWrite {
			t.Errorf("mode %+v", r)
		}
	}

	_, err = c.DeleteSubject(ctx, "money", sr.SoftDelete)
	wantCode(err, 42206)
	_, err = c.DeleteSubject(ctx, "line", sr.SoftDelete)
	must(err)
	_, err = c.DeleteSubject(ctx, "line", sr.HardDelete)
	must(err)
	must(c.DeleteSchema(ctx, "money", 1, sr.SoftDelete))
	must(c.DeleteSchema(ctx, "money", 1, sr.HardDelete))
	_, err = c.SchemaByID(ctx, made.ID)
	wantCode(err, 40403)

	for _, r := range c.SetMode(ctx, sr.ModeImport, "") {
		must(r.Err)
	}
	imported, err := c.CreateSchemaWithIDAndVersion(ctx, "money", sr.Schema{Schema: money}, 77, 5)
	if err != nil || imported.ID != 77 || imported.Version != 5 {
		t.Errorf("imported %+v, %v", imported, err)
	}
}
