package registry

import (
	"context"
	"errors"

	"github.com/syncline-io/syncline/framework/failure"
)

// Reader gives a sink the schemas of ids. It asks the registry each time, because one that was restored may have given
// an id to another schema; what was kept counts while the registry cannot be reached.
type Reader struct{ *Client }

// Reader returns a Reader.
func (c *Client) Reader() Reader { return Reader{c} }

// ByID returns the text of the schema with an id, with the errors of [Client.ByID].
func (r Reader) ByID(ctx context.Context, id uint32) (string, error) {
	text, err := r.Reread(ctx, id)
	if err == nil || failure.Classify(err) != failure.Retry || errors.Is(err, ErrUnknownID) {
		return text, err
	}
	if kept, ok := r.schemas.get(id); ok {
		return kept, nil
	}
	return "", err
}
