package failure

import (
	"crypto/tls"
	"errors"
	"net"
)

// RefusedCertificate reports whether a TLS connection failed because one side did not accept what the other showed: the
// server's certificate here, or this client's certificate there. No further try will change that.
func RefusedCertificate(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "remote error" // so crypto/tls marks an alert that the other side has sent
}
