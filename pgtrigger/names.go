package pgtrigger

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// names is what a namespace calls its objects, quoted where they are SQL.
type names struct {
	namespace string
	// Schema, Journal and State are the schema and its tables.
	Schema, Journal, State string
	// Channel is what bells are rung on.
	Channel string
	// Class is the first half of the namespace's advisory lock keys.
	Class int32
}

// The second halves of advisory lock keys. A sleeping reader holds all of
// those from 0 to keyMask in shared mode; a writer tries one, by its process.
const (
	keyMask    = 15
	installKey = 16
	cleanKey   = 17
)

func newNames(namespace string) names {
	sum := sha256.Sum256([]byte("rowsync namespace " + namespace))
	return names{
		namespace: namespace,
		Schema:    ident(namespace),
		Journal:   ident(namespace, "journal"),
		State:     ident(namespace, "state"),
		Channel:   "rowsync_" + hex.EncodeToString(sum[:8]),
		Class:     int32(binary.BigEndian.Uint32(sum[:4])),
	}
}

// ident quotes the parts of a name for SQL.
func ident(parts ...string) string { return pgx.Identifier(parts).Sanitize() }

// literal quotes text for SQL, whatever standard_conforming_strings is.
func literal(text string) string {
	quoted := "'" + strings.ReplaceAll(text, "'", "''") + "'"
	if strings.Contains(text, `\`) {
		return " E" + strings.ReplaceAll(quoted, `\`, `\\`)
	}
	return quoted
}

// body quotes the body of a function with dollars, so that it stays readable.
func body(text string) string {
	tag := "$rowsync$"
	for i := 1; strings.Contains(text, tag); i++ {
		tag = "$rowsync" + strconv.Itoa(i) + "$"
	}
	return tag + text + tag
}
