package main_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// writeCertificate puts a new certificate for localhost, with this serial number,
// and its key into folder.
func writeCertificate(t *testing.T, folder string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: certificate}, "key.pem": {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// serial asks the program over a new connection, and returns the number of the
// certificate that it shows; 0 while it does not answer.
func serial(t *testing.T, address string) int64 {
	t.Helper()
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // of ours alone, made above
		ForceAttemptHTTP2: true,
	}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get("https://" + address + "/healthz")
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	if resp.Proto != "HTTP/2.0" || resp.StatusCode != http.StatusOK {
		t.Errorf("the answer is %s %s", resp.Proto, resp.Status)
	}
	return resp.TLS.PeerCertificates[0].SerialNumber.Int64()
}

func awaitSerial(t *testing.T, address string, want int64) {
	t.Helper()
	for began := time.Now(); serial(t, address) != want; time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			t.Fatalf("the certificate's number is %d, want %d", serial(t, address), want)
		}
	}
}

// A renewed certificate is read at SIGHUP; one that can't be read changes nothing.
func TestCertificate(t *testing.T) {
	folder, address := t.TempDir(), freeAddress(t)
	writeCertificate(t, folder, 1)
	if err := os.WriteFile(filepath.Join(folder, "wallcast.yaml"), []byte("tls: {cert: cert.pem, key: key.pem}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := launchProgram(t, folder, address, "serve")
	awaitSerial(t, address, 1)

	writeCertificate(t, folder, 2)
	hangUp(t, p, "the configuration was applied")
	if got := serial(t, address); got != 2 {
		t.Errorf("the renewed certificate is not shown, but the number %d", got)
	}
	if err := os.WriteFile(filepath.Join(folder, "key.pem"), []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	hangUp(t, p, "was not applied")
	if got := serial(t, address); got != 2 {
		t.Errorf("after one that can't be read, the certificate's number is %d", got)
	}
}

// hangUp sends a SIGHUP and waits until the program says what came of it.
func hangUp(t *testing.T, p *process, word string) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); !strings.Contains(p.said.String(), word); time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			t.Fatalf("the program does not say %q: %s", word, p.said)
		}
	}
}

func TestNoCertificate(t *testing.T) {
	folder := t.TempDir()
	configuration := fmt.Sprintf("listen: %q\ntls: {cert: none.pem, key: none.key}\n", freeAddress(t))
	refuses(t, folder, configuration, "none.pem", "correct tls")
	if _, said := run(t, folder, "serve"); strings.Contains(said, "The wall is at") {
		t.Error("a wall is announced that can't be opened: ", said)
	}
}
