package engines

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority is a certificate authority for one test.
type Authority struct {
	t    testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	// CA is the file of its own certificate.
	CA string
}

// Certificate is a certificate and its key, each in a file of its own, and both in one for servers that want that (PEM).
type Certificate struct{ Cert, Key, Both string }

// NewAuthority makes an authority whose files live as long as the test.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{t: t, dir: t.TempDir()}
	a.cert = &x509.Certificate{
		Subject: pkix.Name{CommonName: "authority " + filepath.Base(a.dir)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	issued := a.issue("ca", a.cert)
	a.CA = issued.Cert
	return a
}

// Server issues a certificate for the loopback address and localhost.
func (a *Authority) Server() Certificate {
	a.t.Helper()
	return a.issue("server", &x509.Certificate{
		Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, KeyUsage: x509.KeyUsageDigitalSignature,
	})
}

// Client issues a certificate for a user.
func (a *Authority) Client(user string) Certificate {
	a.t.Helper()
	return a.issue("client", &x509.Certificate{
		Subject:     pkix.Name{CommonName: user},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, KeyUsage: x509.KeyUsageDigitalSignature,
	})
}

func (a *Authority) issue(name string, cert *x509.Certificate) Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	a.must(err)
	if a.key == nil { // its own
		a.key = key
	}
	cert.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62))
	a.must(err)
	cert.NotBefore, cert.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	signed, err := x509.CreateCertificate(rand.Reader, cert, a.cert, &key.PublicKey, a.key)
	a.must(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	a.must(err)
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	c := Certificate{Cert: a.file(name + ".crt"), Key: a.file(name + ".key"), Both: a.file(name + ".pem")}
	a.must(os.WriteFile(c.Cert, certPEM, 0o644))
	a.must(os.WriteFile(c.Key, keyPEM, 0o600))
	a.must(os.WriteFile(c.Both, append(keyPEM, certPEM...), 0o600))
	return c
}

func (a *Authority) file(name string) string { return filepath.Join(a.dir, name) }

func (a *Authority) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatalf("make a certificate: %v", err)
	}
}
