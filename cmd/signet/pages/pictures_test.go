package pages_test

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"flag"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"signet/cmd/signet/signettest"
)

var update = flag.Bool("update", false, "write docs/pictures")

// mostBytes is the size of a picture that README.md may show.
const mostBytes = 60 << 10

// TestPictures_LookLikeThePages takes the pictures of README.md from a running server and
// compares them with docs/pictures. make pictures writes them anew.
func TestPictures_LookLikeThePages(t *testing.T) {
	dev, clock := signettest.StartDevWithClock(t)
	var report struct {
		Pictures   map[string]string
		Complaints []string
	}
	dev.Browse(t, "pictures.mjs", map[string]any{"admin": dev.Administrator(t), "clock": clock}, &report)
	signettest.RefuseComplaints(t, report.Complaints)
	if len(report.Pictures) != 6 {
		t.Fatalf("%d pictures were taken", len(report.Pictures))
	}
	for name, taken := range report.Pictures {
		content, err := base64.StdEncoding.DecodeString(taken)
		if err != nil {
			t.Fatal(err)
		}
		now, err := png.Decode(bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("../../../docs/pictures", name+".png")
		if *update {
			writePicture(t, file, now)
		}
		stored, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if len(stored) > mostBytes {
			t.Errorf("%s has %d bytes, more than %d", file, len(stored), mostBytes)
		}
		before, err := png.Decode(bytes.NewReader(stored))
		if err != nil {
			t.Fatal(err)
		}
		if mean, changed := difference(now, before); !alike(mean, changed) {
			t.Errorf("%s no longer looks like its page (mean difference %.1f of 255, %.0f%% of the cells changed): make pictures", file, mean, 100*changed)
		}
	}
}

// TestPictures_AreToldApart checks that the comparison is not too tolerant: each picture
// differs from the others.
func TestPictures_AreToldApart(t *testing.T) {
	files, err := filepath.Glob("../../../docs/pictures/*.png")
	if err != nil || len(files) != 6 {
		t.Fatalf("%d pictures are stored, %v", len(files), err)
	}
	var pictures []image.Image
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		picture, err := png.Decode(bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		pictures = append(pictures, picture)
	}
	for i := range pictures {
		for j := range i {
			if mean, changed := difference(pictures[i], pictures[j]); alike(mean, changed) {
				t.Errorf("%s and %s pass for one page: mean difference %.1f, changed %.2f", files[i], files[j], mean, changed)
			}
		}
	}
}

// alike allows for another font and for a sentence that changed.
func alike(mean, changed float64) bool { return mean <= 6 && changed <= 0.04 }

// The pictures are compared as a grid of so many cells, so that another font, or another
// version of Chromium, makes no difference that counts.
const across, down = 18, 15

// difference compares the average colors of the cells: the mean difference, of 255, and the
// share of the cells that differ by more than 32.
func difference(a, b image.Image) (mean, changed float64) {
	first, second := cells(a), cells(b)
	for i := range first {
		d := math.Abs(first[i] - second[i])
		mean += d / float64(len(first))
		if d > 32 {
			changed += 1 / float64(len(first))
		}
	}
	return mean, changed
}

// cells gives the average brightness of each cell in each of the three colors.
func cells(m image.Image) []float64 {
	sums, counts := make([]float64, 3*across*down), make([]float64, 3*across*down)
	size := m.Bounds().Size()
	for y := 0; y < size.Y; y += 3 { // one pixel of nine is enough
		for x := 0; x < size.X; x += 3 {
			r, g, b, _ := m.At(m.Bounds().Min.X+x, m.Bounds().Min.Y+y).RGBA()
			cell := 3 * (y*down/size.Y*across + x*across/size.X)
			for i, value := range []uint32{r, g, b} {
				sums[cell+i] += float64(value >> 8)
				counts[cell+i]++
			}
		}
	}
	for i := range sums {
		sums[i] /= counts[i]
	}
	return sums
}

// writePicture stores a picture with the 256 colors that it uses most.
func writePicture(t *testing.T, file string, m image.Image) {
	t.Helper()
	used := map[color.RGBA]int{}
	for y := m.Bounds().Min.Y; y < m.Bounds().Max.Y; y++ {
		for x := m.Bounds().Min.X; x < m.Bounds().Max.X; x++ {
			used[color.RGBAModel.Convert(m.At(x, y)).(color.RGBA)]++
		}
	}
	var colors []color.RGBA
	for c := range used {
		colors = append(colors, c)
	}
	slices.SortFunc(colors, func(a, b color.RGBA) int {
		return cmp.Or(cmp.Compare(used[b], used[a]), cmp.Compare(a.R, b.R), cmp.Compare(a.G, b.G), cmp.Compare(a.B, b.B))
	})
	var palette color.Palette
	for _, c := range colors[:min(256, len(colors))] {
		palette = append(palette, c)
	}
	small := image.NewPaletted(m.Bounds(), palette)
	for y := m.Bounds().Min.Y; y < m.Bounds().Max.Y; y++ {
		for x := m.Bounds().Min.X; x < m.Bounds().Max.X; x++ {
			small.Set(x, y, m.At(x, y))
		}
	}
	var content bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&content, small); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, content.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
