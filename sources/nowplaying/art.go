package nowplaying

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"mime"
	"os"
	"path/filepath"
	"strings"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

// maxCover is the largest cover that is taken from the folder, in bytes.
const maxCover = 5 << 20

// remote is where a page finds the picture at an address.
func (s *station) remote(address string) string {
	if address == "" || s.pictures == nil {
		return address
	}
	return s.pictures.Remote(address)
}

// portfolio makes addresses of the pictures that one upstream brings.
type portfolio struct {
	*station
	sum     [sha256.Size]byte // of the picture that was kept last
	address string
}

// settle replaces the pictures in a report by addresses.
func (p *portfolio) settle(ctx context.Context, r *upstream.Report) {
	picture := r.Song.Picture
	r.Song.Art = p.remote(r.Song.Art)
	if len(picture) > 0 && p.pictures != nil {
		if sum := sha256.Sum256(picture); sum != p.sum || p.address == "" {
			address, err := p.pictures.Put(ctx, bytes.Clone(picture), r.Song.PictureType)
			if err != nil {
				address = "" // what is no picture for a page is no cover
			}
			p.sum, p.address = sum, address
		}
		r.Song.Art = first(p.address, r.Song.Art)
	}
	r.Song.Picture = nil
	if r.Next != nil {
		next := *r.Next
		next.Art, next.Picture = p.remote(next.Art), nil
		r.Next = &next
	}
}

// pictureTypes are the files that are covers.
var pictureTypes = map[string]string{".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp", ".gif": "image/gif"}

// localCover returns the address of a cover from the folder; "" when there is none.
// Files are found among those that are there: a title never becomes a path.
func (s *station) localCover(ctx context.Context, song song) string {
	if s.covers == "" || s.pictures == nil {
		return ""
	}
	entries, err := os.ReadDir(s.covers)
	if err != nil {
		return ""
	}
	files := map[string]string{}
	for _, entry := range entries {
		extension := filepath.Ext(entry.Name())
		if pictureTypes[strings.ToLower(extension)] != "" {
			files[key(strings.TrimSuffix(entry.Name(), extension))] = entry.Name()
		}
	}
	for _, name := range coverNames(song) {
		file, ok := files[key(name)]
		if !ok {
			continue
		}
		data, err := readCover(filepath.Join(s.covers, file))
		if err != nil {
			continue
		}
		address, err := s.pictures.Put(ctx, data, pictureTypes[strings.ToLower(filepath.Ext(file))])
		if err == nil {
			return address
		}
	}
	return ""
}

// coverNames are the names that a cover may have, the closest first.
func coverNames(s song) []string {
	names := []string{s.text}
	if s.artist != "" && s.album != "" {
		names = append(names, s.artist+" - "+s.album)
	}
	if s.artist != "" {
		names = append(names, s.artist)
	}
	return names
}

func readCover(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxCover {
		return nil, os.ErrInvalid
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxCover))
}

// isPicture reports whether an answer's content type is one of a picture.
func isPicture(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && strings.HasPrefix(kind, "image/")
}
