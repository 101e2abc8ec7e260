package outbound

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// PrivateError is a refusal to connect to an address that is not of the public
// internet.
type PrivateError struct{ Addr netip.Addr }

func (e *PrivateError) Error() string {
	return fmt.Sprintf("%s is no public address, and what others have posted may lead to public ones alone", e.Addr)
}

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		all[i] = netip.MustParsePrefix(text)
	}
	return all
}

var (
	// special4 are the networks of IANA's registry of special-purpose addresses,
	// and the host of Azure that answers a virtual machine's metadata.
	special4 = prefixes(
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
		"192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
		"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32",
	)

	// global6 is what is given out of IPv6 as public; special6 is what of it is
	// not, or holds an address of IPv4 (Teredo, 6to4).
	global6  = netip.MustParsePrefix("2000::/3")
	special6 = prefixes("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")

	// nat64 is followed by an address of IPv4.
	nat64 = netip.MustParsePrefix("64:ff9b::/96")
)

// IsPublic reports whether an address is one of the public internet: none that
// is loopback, private, link-local, shared (RFC 6598), multicast, unspecified, for
// documentation or a cloud's metadata, also where it is written as one of IPv6.
func IsPublic(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	holds := func(p netip.Prefix) bool { return p.Contains(a) }
	switch {
	case !a.IsValid():
		return false
	case a.Is4():
		return !slices.ContainsFunc(special4, holds)
	case nat64.Contains(a):
		b := a.As16()
		return IsPublic(netip.AddrFrom4([4]byte(b[12:])))
	}
	return global6.Contains(a) && !slices.ContainsFunc(special6, holds)
}

// refusePrivate is a net.Dialer's ControlContext: it sees the address that is
// being connected to.
func (c Config) refusePrivate(_ context.Context, network, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("reading the address %s %s: %w", network, address, err)
	}
	if !c.public(to.Addr()) {
		return &PrivateError{to.Addr()}
	}
	return nil
}
