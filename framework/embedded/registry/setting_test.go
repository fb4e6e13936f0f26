package registry

import "testing"

func TestSubjectLevelSettingsAreDeleted(t *testing.T) {
	url, _ := serve(t)
	converse(t, url, []step{
		{"DELETE", "/config/s", "", 404, `{"error_code":40401,`},
		{"DELETE", "/mode/s", "", 404, `{"error_code":40401,`},
		{"PUT", "/config/s", `{"compatibility":"FULL"}`, 200, `{"compatibility":"FULL"}`},
		{"PUT", "/mode/s", `{"mode":"readonly"}`, 200, `{"mode":"READONLY"}`},
		{"PUT", "/config/s", `{"compatibility":"NONE"}`, 422, `{"error_code":42205,"message":"Subject s is in read-only mode"}`},
		{"DELETE", "/config/s", "", 422, `{"error_code":42205,`},
		{"DELETE", "/mode/s", "", 200, `{"mode":"READONLY"}`},
		{"DELETE", "/config/s", "", 200, `{"compatibilityLevel":"FULL"}`},
		{"GET", "/config/s", "", 404, `{"error_code":40408,`},
		{"PUT", "/config", `{"compatibility":"FULL"}`, 200, ""},
		{"DELETE", "/config", "", 200, `{"compatibilityLevel":"FULL"}`},
		{"GET", "/config", "", 200, `{"compatibilityLevel":"BACKWARD"}`},
		{"DELETE", "/config", "", 200, `{"compatibilityLevel":"BACKWARD"}`},
		{"PUT", "/config/s", `{}`, 422, `{"error_code":42203,`},
		{"PUT", "/config/s", `{"compatibility":"FULL","compatibilityGroup":"app.version"}`, 422, `{"error_code":42205,"message":"This registry has no compatibilityGroup`},
		{"PUT", "/config/s", `{"compatibility":"FULL","compatibilityGroup":"","validateFields":false}`, 200, `{"compatibility":"FULL"}`},
		{"PUT", "/config/s", `{"compatibility":"FULL","validateFields":true}`, 422, `{"error_code":42205,`},
		{"DELETE", "/mode", "", 200, `{"mode":"READWRITE"}`},
		{"PUT", "/mode", `{"mode":"READONLY_OVERRIDE"}`, 200, ""},
		{"DELETE", "/mode", "", 200, `{"mode":"READONLY_OVERRIDE"}`},
		{"GET", "/mode", "", 200, `{"mode":"READWRITE"}`},
		{"POST", "/config", `{}`, 405, `{"error_code":405,`},
		{"PUT", "/subjects/s/versions/1", `{}`, 405, `{"error_code":405,`},
		{"GET", "/nothing", "", 404, `{"error_code":404,`},
		{"PUT", "/mode", `{"mode":"sideways"}`, 422, `{"error_code":42204,`},
		{"PUT", "/mode", `{}`, 422, `{"error_code":42204,`},
	})
}

func TestAReadOnlySubjectKeepsWhatItHas(t *testing.T) {
	url, _ := serve(t)
	refused := `{"error_code":42205,"message":"Subject s is in read-only mode"}`
	for _, path := range []string{"/mode/s", "/mode"} {
		converse(t, url, []step{
			{"POST", "/subjects/s/versions", body(one), 200, `{"id":1}`},
			{"PUT", path, `{"mode":"READONLY"}`, 200, `{"mode":"READONLY"}`},
			{"GET", "/mode/s?defaultToGlobal=true", "", 200, `{"mode":"READONLY"}`},
			{"POST", "/subjects/s/versions", body(one), 200, `{"id":1}`}, // it is there: nothing is written
			{"POST", "/subjects/s/versions", body(two), 422, refused},
			{"POST", "/subjects/s", body(one), 200, `{"subject":"s",`},
			{"DELETE", "/subjects/s", "", 422, refused},
			{"DELETE", "/subjects/s/versions/1", "", 422, refused},
			{"PUT", path, `{"mode":"READWRITE"}`, 200, ""},
		})
		if path == "/mode/s" {
			converse(t, url, []step{{"DELETE", path, "", 200, `{"mode":"READWRITE"}`}})
		}
	}
	converse(t, url, []step{
		{"PUT", "/mode", `{"mode":"READONLY_OVERRIDE"}`, 200, ""},
		{"PUT", "/mode/s", `{"mode":"READWRITE"}`, 200, ""},
		{"GET", "/mode/s", "", 200, `{"mode":"READONLY_OVERRIDE"}`},
		{"POST", "/subjects/s/versions", body(two), 422, refused},
		{"PUT", "/mode", `{"mode":"READONLY"}`, 200, ""},
		{"POST", "/subjects/s/versions", body(two), 200, `{"id":2}`}, // the subject's own mode counts again
	})
}

func TestAnImportGivesIDsAndVersions(t *testing.T) {
	url, _ := serve(t)
	given := func(schema, more string) string { return `{"schema":"\"` + schema + `\"",` + more + `}` }
	converse(t, url, []step{
		{"POST", "/subjects/s/versions", body(`"int"`), 200, `{"id":1}`},
		{"PUT", "/mode", `{"mode":"IMPORT"}`, 422, `{"error_code":42205,"message":"Cannot import since found existing subjects"}`},
		{"PUT", "/mode/s", `{"mode":"IMPORT"}`, 422, `{"error_code":42205,`},
		{"PUT", "/mode/s?force=true", `{"mode":"IMPORT"}`, 200, `{"mode":"IMPORT"}`},
		{"DELETE", "/mode/s", "", 200, ""},
		{"DELETE", "/subjects/s", "", 200, `[1]`},
		{"PUT", "/mode", `{"mode":"IMPORT"}`, 200, `{"mode":"IMPORT"}`},
		{"GET", "/subjects?deleted=true", "", 200, `[]`}, // what was deleted softly is gone

		{"POST", "/subjects/s/versions", body(`"int"`), 422, `{"error_code":42205,"message":"Subject s is not in read-write mode"}`},
		{"POST", "/subjects/s/versions", given("int", `"id":50,"version":3`), 200, `{"id":50}`},
		{"POST", "/subjects/s/versions", given("int", `"id":50,"version":3`), 200, `{"id":50}`},
		{"POST", "/subjects/s/versions", given("string", `"id":50,"version":4`), 422, `{"error_code":42205,"message":"Overwrite new schema with id 50 is not permitted."}`},
		{"POST", "/subjects/s/versions", given("string", `"id":40,"version":3`), 422, `{"error_code":42205,"message":"Overwrite version 3 of subject s`},
		{"POST", "/subjects/s/versions", given("string", `"id":40,"version":1`), 200, `{"id":40}`}, // nothing is compared
		{"POST", "/subjects/s/versions", given("bytes", `"id":0`), 422, `{"error_code":42201,`},
		{"POST", "/subjects/s/versions", given("bytes", `"id":45`), 200, `{"id":45}`},
		{"GET", "/subjects/s/versions", "", 200, `[1,3,4]`},

		{"PUT", "/mode", `{"mode":"READWRITE"}`, 200, ""},
		{"PUT", "/config", `{"compatibility":"NONE"}`, 200, ""},
		{"POST", "/subjects/s/versions", body(`"double"`), 200, `{"id":51}`},
	})
}

func TestWhatIsSetSurvivesARestart(t *testing.T) {
	url, brokers := serve(t)
	converse(t, url, []step{
		{"POST", "/subjects/s/versions", body(one), 200, `{"id":1}`},
		{"POST", "/subjects/gone/versions", body(two), 200, `{"id":2}`},
		{"DELETE", "/subjects/gone", "", 200, `[1]`},
		{"PUT", "/mode/gone", `{"mode":"IMPORT"}`, 200, ""},
		{"PUT", "/mode/s", `{"mode":"READONLY"}`, 200, ""},
		{"PUT", "/config/s2", `{"compatibility":"FULL","normalize":true}`, 200, ""},
		{"PUT", "/config", `{"compatibility":"FORWARD"}`, 200, ""},
	})
	converse(t, reopened(t, brokers), []step{
		{"GET", "/subjects?deleted=true", "", 200, `["s"]`},
		{"GET", "/mode/gone", "", 200, `{"mode":"IMPORT"}`},
		{"GET", "/mode/s", "", 200, `{"mode":"READONLY"}`},
		{"GET", "/config/s2", "", 200, `{"normalize":true,"compatibilityLevel":"FULL"}`},
		{"GET", "/config", "", 200, `{"compatibilityLevel":"FORWARD"}`},
		{"GET", "/schemas/ids/1?fetchMaxId=true", "", 200, `{"schema":` + quoted(one) + `,"maxId":2}`},
	})
}
