package factor

import (
	"fmt"
	"image/color"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// Picture is a QR code as the path of an SVG picture, for a line that is one unit wide: one unit is
// one module of the code. The light frame around the code is included.
type Picture struct {
	Size int    // width and height
	Path string // the rows of dark modules
}

// quietZone is the width of the light frame, in modules (ISO/IEC 18004).
const quietZone = 4

// NewPicture makes the QR code of a text, such as an otpauth URL. It corrects few errors, because
// it is read from a screen; a small code keeps the page small.
func NewPicture(text string) (Picture, error) {
	code, err := qr.Encode(text, qr.L, qr.Auto)
	if err != nil {
		return Picture{}, fmt.Errorf("make QR code: %w", err)
	}
	var path strings.Builder
	side := code.Bounds().Dx()
	for y := range side {
		end := 0 // of the last run of this row
		for x := 0; x < side; x++ {
			from := x
			for x < side && isDark(code.At(x, y)) {
				x++
			}
			switch {
			case x == from:
				continue
			case end == 0:
				fmt.Fprintf(&path, "M%d %d.5h%d", from+quietZone, y+quietZone, x-from)
			default:
				fmt.Fprintf(&path, "m%d 0h%d", from-end, x-from)
			}
			end = x
		}
	}
	return Picture{Size: side + 2*quietZone, Path: path.String()}, nil
}

func isDark(c color.Color) bool {
	r, _, _, _ := c.RGBA()
	return r < 0x8000
}
