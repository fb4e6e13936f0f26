package engines

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/syncline-io/syncline/framework/child"
)

// registryVersion is the newest one that runs on Java 17.
const registryVersion = "3.0.9"

// RegistryOptions say what registry to run. Only Dir is required.
type RegistryOptions struct {
	// Dir is the registry's folder: data, log and port. It is made if it does not exist.
	Dir string
	// Settings are properties of the application (apicurio.*, quarkus.*); they win over those of the package.
	Settings map[string]string
}

// Registry is an Apicurio schema registry, which speaks the Confluent API. Its methods may be called from any goroutine.
type Registry struct {
	javaServer
	opt  RegistryOptions
	port int
}

// StartRegistry starts a registry, with the schemas that its folder holds, and sets its compatibility to BACKWARD, which is
// the default of Confluent's registry and not of this one. The first call on a machine fetches it through Maven. ctx bounds
// the start and not the registry's life.
func StartRegistry(ctx context.Context, opt RegistryOptions) (*Registry, error) {
	r := &Registry{opt: opt}
	if err := r.prepare(ctx); err != nil {
		return nil, fmt.Errorf("start the registry: %w", err)
	}
	if err := r.start(ctx); err != nil {
		r.unlock()
		return nil, fmt.Errorf("start the registry: %w", err)
	}
	return r, nil
}

// URL is the base of the Confluent API.
func (r *Registry) URL() string { return "http://" + loopback(r.port) + "/apis/ccompat/v7" }

func (r *Registry) prepare(ctx context.Context) error {
	if _, err := java(); err != nil {
		return err
	}
	home, err := registryHome(ctx)
	if err != nil {
		return err
	}
	if r.dir, r.unlock, err = takeFolder(r.opt.Dir); err != nil {
		return err
	}
	if r.port, err = child.KeptPort(filepath.Join(r.dir, "port")); err != nil {
		r.unlock()
		return err
	}
	r.name = "the registry"
	r.args = append([]string{"-Xms64m", "-Xmx384m"}, r.properties()...)
	r.args = append(r.args, "-jar", filepath.Join(home, "apicurio-registry-app-"+registryVersion+"-runner.jar"))
	r.ready = func(ctx context.Context, _ string) bool { return r.setCompatibility(ctx, "BACKWARD") == nil }
	return nil
}

func (r *Registry) properties() []string {
	all := map[string]string{
		"quarkus.http.host": "127.0.0.1",
		"quarkus.http.port": fmt.Sprint(r.port),
		// In a file rather than in memory, so that a restart knows the schemas and goes on numbering; written at once
		// rather than every half second, so that this holds after a kill.
		"apicurio.datasource.url": "jdbc:h2:file:" + filepath.Join(r.dir, "schemas") + ";WRITE_DELAY=0",
		// Off by default, and part of the Confluent API.
		"apicurio.rest.deletion.artifact.enabled":         "true",
		"apicurio.rest.deletion.artifact-version.enabled": "true",
		"apicurio.rest.deletion.group.enabled":            "true",
		"vertx.cacheDirBase":                              filepath.Join(r.dir, "cache"),
	}
	maps.Copy(all, r.opt.Settings)
	var args []string
	for _, key := range slices.Sorted(maps.Keys(all)) {
		args = append(args, "-D"+key+"="+all[key])
	}
	return args
}

// setCompatibility is also the question whether the registry is ready: it goes through to the storage.
func (r *Registry) setCompatibility(ctx context.Context, level string) error {
	body := strings.NewReader(`{"compatibility":"` + level + `"}`)
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, r.URL()+"/config", body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return errors.New(res.Status)
	}
	return nil
}

// registryHome is the folder of the unpacked application.
func registryHome(ctx context.Context) (string, error) {
	return cached(ctx, "apicurio-registry-app-"+registryVersion, func(ctx context.Context, dir string) error {
		archive := filepath.Join(dir, "app.tar.gz")
		// The last version of the plugin that fetches a file without asking for the parents of its POM, which are not
		// published for this release.
		err := maven(ctx, "org.apache.maven.plugins:maven-dependency-plugin:2.8:get", "-Dtransitive=false",
			"-Dartifact=io.apicurio:apicurio-registry-app:"+registryVersion+":tar.gz:all", "-Ddest="+archive)
		if err != nil {
			return err
		}
		if out, err := exec.CommandContext(ctx, "tar", "-xzf", archive, "-C", dir).CombinedOutput(); err != nil {
			return fmt.Errorf("unpack %s: %w: %s", archive, err, out)
		}
		return os.Remove(archive)
	})
}
