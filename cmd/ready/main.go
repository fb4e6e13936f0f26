// Command ready is the health check inside a connector's container, which holds no shell and no curl: it ends with 0 if the
// connector's endpoint says that it is ready, else with 1 and the reason.
//
//	ready [URL]    by default http://127.0.0.1:9477/readyz
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

func main() {
	url := "http://127.0.0.1:9477/readyz"
	if len(os.Args) > 1 {
		url = os.Args[1]
	}
	if err := ask(url); err != nil {
		fmt.Fprintln(os.Stderr, "ready:", err)
		os.Exit(1)
	}
}

// ask returns nil if the endpoint answers 200.
func ask(url string) error {
	client := http.Client{Timeout: 3 * time.Second}
	res, err := client.Get(url)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusOK {
		return nil
	}
	why, _ := io.ReadAll(io.LimitReader(res.Body, 4096)) // what there is of it
	return fmt.Errorf("%s: %s", res.Status, why)
}
