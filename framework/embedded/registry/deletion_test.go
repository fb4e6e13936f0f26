package registry

import "testing"

func TestASoftDeletionHidesAPermanentOneForgets(t *testing.T) {
	url, _ := serve(t)
	converse(t, url, []step{
		{"POST", "/subjects/s/versions", body(one), 200, `{"id":1}`},
		{"POST", "/subjects/s/versions", body(two), 200, `{"id":2}`},

		{"DELETE", "/subjects/none/versions/1", "", 404, `{"error_code":40401,`},
		{"DELETE", "/subjects/s/versions/9", "", 404, `{"error_code":40402,"message":"Version 9 not found."}`},
		{"DELETE", "/subjects/s/versions/0", "", 422, `{"error_code":42202,`},
		{"DELETE", "/subjects/s/versions/1?permanent=true", "", 404, `{"error_code":40407,"message":"Subject 's' Version 1 was not deleted first before being permanently deleted"}`},
		{"DELETE", "/subjects/s/versions/latest", "", 200, `2`},
		{"DELETE", "/subjects/s/versions/2", "", 404, `{"error_code":40406,`},

		{"GET", "/subjects/s/versions", "", 200, `[1]`},
		{"GET", "/subjects/s/versions/latest", "", 200, `{"subject":"s","version":1,`},
		{"GET", "/subjects/s/versions/2", "", 404, `{"error_code":40402,`},
		{"GET", "/subjects/s/versions/2?deleted=true", "", 200, `{"subject":"s","version":2,"id":2,`},
		{"GET", "/subjects/s/versions/2/schema?deleted=true", "", 200, two},
		{"POST", "/subjects/s", body(two), 404, `{"error_code":40403,`},
		{"POST", "/subjects/s?deleted=true", body(two), 200, `{"subject":"s","version":2,"id":2,`},
		{"GET", "/schemas/ids/2/schema", "", 200, two},

		{"DELETE", "/subjects/s/versions/2?permanent=true", "", 200, `2`},
		{"GET", "/subjects/s/versions/2?deleted=true", "", 404, `{"error_code":40402,`},
		{"GET", "/schemas/ids/2", "", 404, `{"error_code":40403,`},
		{"DELETE", "/subjects/s/versions/2?permanent=true", "", 404, `{"error_code":40402,`},
		{"POST", "/subjects/s/versions", body(two), 200, `{"id":3}`}, // 2 is not given again
	})
}

func TestASubjectIsDeletedSoftlyThenForGood(t *testing.T) {
	url, _ := serve(t)
	converse(t, url, []step{
		{"POST", "/subjects/s/versions", body(one), 200, `{"id":1}`},
		{"POST", "/subjects/s/versions", body(two), 200, `{"id":2}`},
		{"PUT", "/config/s", `{"compatibility":"NONE"}`, 200, ""},
		{"PUT", "/mode/s", `{"mode":"READWRITE"}`, 200, ""},

		{"DELETE", "/subjects/none", "", 404, `{"error_code":40401,`},
		{"DELETE", "/subjects/s?permanent=true", "", 404, `{"error_code":40405,`},
		{"DELETE", "/subjects/s/versions/1", "", 200, `1`},
		{"DELETE", "/subjects/s?permanent=true", "", 404, `{"error_code":40405,`},
		{"DELETE", "/subjects/s", "", 200, `[2]`},
		{"DELETE", "/subjects/s", "", 404, `{"error_code":40404,`},
		{"GET", "/subjects", "", 200, `[]`},
		{"GET", "/subjects/s/versions", "", 404, `{"error_code":40401,`},
		{"GET", "/config/s", "", 404, `{"error_code":40408,`},
		{"GET", "/mode/s", "", 404, `{"error_code":40409,`},
		{"GET", "/schemas/ids/1/schema", "", 200, one},

		{"DELETE", "/subjects/s?permanent=true", "", 200, `[1,2]`},
		{"DELETE", "/subjects/s?permanent=true", "", 404, `{"error_code":40401,`},
		{"GET", "/subjects?deleted=true", "", 200, `[]`},
		{"GET", "/schemas/ids/1", "", 404, `{"error_code":40403,`},
		{"POST", "/subjects/s/versions", body(one), 200, `{"id":3}`},
		{"GET", "/subjects/s/versions", "", 200, `[1]`},
	})
}

func TestASoftlyDeletedSchemaComesBackWithItsIDAsANewVersion(t *testing.T) {
	url, _ := serve(t)
	converse(t, url, []step{
		{"POST", "/subjects/s/versions", body(one), 200, `{"id":1}`},
		{"POST", "/subjects/s/versions", body(two), 200, `{"id":2}`},
		{"DELETE", "/subjects/s", "", 200, `[1,2]`},
		{"POST", "/subjects/s/versions", body(bad), 200, `{"id":3}`}, // deleted versions are not compared with
		{"DELETE", "/subjects/s/versions/3", "", 200, `3`},
		{"POST", "/subjects/s/versions", body(one), 200, `{"id":1}`},
		{"GET", "/subjects/s/versions?deleted=true", "", 200, `[2,3,4]`},
		{"GET", "/subjects/s/versions/4", "", 200, `{"subject":"s","version":4,"id":1,`},
	})
}

func TestTheSettingsGoWithTheLastVersion(t *testing.T) {
	url, _ := serve(t)
	converse(t, url, []step{
		{"POST", "/subjects/s/versions", body(one), 200, `{"id":1}`},
		{"POST", "/subjects/s/versions", body(two), 200, `{"id":2}`},
		{"PUT", "/config/s", `{"compatibility":"NONE"}`, 200, ""},
		{"DELETE", "/subjects/s/versions/1", "", 200, `1`},
		{"GET", "/config/s", "", 200, `{"compatibilityLevel":"NONE"}`},
		{"DELETE", "/subjects/s/versions/2", "", 200, `2`},
		{"GET", "/config/s", "", 404, `{"error_code":40408,`},
	})
}
