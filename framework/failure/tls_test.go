package failure

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"testing"
)

func TestRefusedCertificateIsNoNetworkTrouble(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{fmt.Errorf("connect: %w", &tls.CertificateVerificationError{Err: errors.New("unknown authority")}), true},
		{fmt.Errorf("connect: %w", &net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}), true},
		{fmt.Errorf("connect: %w", &net.OpError{Op: "dial", Err: errors.New("connection refused")}), false},
		{errors.New("tls: bad certificate"), false},
		{nil, false},
	} {
		if got := RefusedCertificate(c.err); got != c.want {
			t.Errorf("%v: %t", c.err, got)
		}
	}
}
