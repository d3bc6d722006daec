package logo

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"
)

const (
	// maxBytes is the size of the largest logo.
	maxBytes = 256 << 10
	// maxSide is the largest width and height in pixels. A browser needs four bytes for each pixel,
	// however small the file is.
	maxSide = 2048
)

// readers read the header of each accepted kind of picture, by media type.
var readers = map[string]func(io.Reader) (image.Config, error){
	"image/png": png.DecodeConfig, "image/jpeg": jpeg.DecodeConfig, "image/gif": gif.DecodeConfig, "image/webp": readWebP,
}

// KindOf returns the media type of a picture, by its first bytes. Other kinds than PNG, JPEG, GIF and
// WebP are an error, and so are pictures with more than 2048 pixels in a row or column. It does not
// decode the pixels.
func KindOf(content []byte) (string, error) {
	kind := http.DetectContentType(content)
	read, known := readers[kind]
	if !known {
		return "", errors.New("it is not a PNG, JPEG, GIF or WebP picture")
	}
	header, err := read(bytes.NewReader(content))
	switch {
	case err != nil:
		return "", fmt.Errorf("its %s header is damaged", kind)
	case header.Width < 1 || header.Height < 1 || header.Width > maxSide || header.Height > maxSide:
		return "", fmt.Errorf("it has %d × %d pixels: use at most %d in each direction", header.Width, header.Height, maxSide)
	}
	return kind, nil
}

var errWebP = errors.New("not a WebP picture")

// readWebP reads the size of a WebP picture (RFC 9649, sections 2.5 to 2.7).
func readWebP(r io.Reader) (image.Config, error) {
	head := make([]byte, 30)
	n, err := io.ReadFull(r, head)
	if err != nil && err != io.ErrUnexpectedEOF || n < 25 || string(head[:4]) != "RIFF" || string(head[8:12]) != "WEBP" {
		return image.Config{}, errWebP
	}
	data := head[20:n]
	switch chunk := string(head[12:16]); {
	case chunk == "VP8L" && data[0] == 0x2f:
		bits := binary.LittleEndian.Uint32(data[1:])
		return image.Config{Width: int(bits&0x3fff) + 1, Height: int(bits>>14&0x3fff) + 1}, nil
	case chunk == "VP8 " && len(data) == 10 && string(data[3:6]) == "\x9d\x01\x2a":
		return image.Config{Width: int(binary.LittleEndian.Uint16(data[6:]) & 0x3fff), Height: int(binary.LittleEndian.Uint16(data[8:]) & 0x3fff)}, nil
	case chunk == "VP8X" && len(data) == 10:
		return image.Config{Width: uint24(data[4:]) + 1, Height: uint24(data[7:]) + 1}, nil
	}
	return image.Config{}, errWebP
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }
