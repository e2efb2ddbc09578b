// Reads tars as the Engine does, by archive/tar: from stdin, each behind its length in
// four bytes. Writes for each of them one line of JSON: its entries, and what ended it.
package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"io"
	"os"
)

// Names are bytes, which JSON has in base64.
type entry struct {
	Kind       int
	Name, Link []byte
	Size, Mode int64
	Uid, Gid   int
	Mtime      [2]int64
	Records    map[string][]byte
	Sum        []byte
}

type read struct {
	Entries []entry
	Error   string
}

func readTar(data []byte) (found read) {
	reader := tar.NewReader(bytes.NewReader(data))
	for {
		header, err := reader.Next()
		if err == io.EOF {
			return
		}
		sum := sha256.New()
		if err == nil {
			_, err = io.Copy(sum, reader)
		}
		if err != nil {
			found.Error = err.Error()
			return
		}
		records := map[string][]byte{}
		for key, value := range header.PAXRecords {
			records[key] = []byte(value)
		}
		found.Entries = append(found.Entries, entry{
			int(header.Typeflag), []byte(header.Name), []byte(header.Linkname),
			header.Size, header.Mode, header.Uid, header.Gid,
			[2]int64{header.ModTime.Unix(), int64(header.ModTime.Nanosecond())},
			records, sum.Sum(nil),
		})
	}
}

func main() {
	in, out := bufio.NewReader(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var size uint32
		if binary.Read(in, binary.BigEndian, &size) != nil {
			return
		}
		data := make([]byte, size)
		if _, err := io.ReadFull(in, data); err != nil {
			panic(err)
		}
		if err := out.Encode(readTar(data)); err != nil {
			panic(err)
		}
	}
}
