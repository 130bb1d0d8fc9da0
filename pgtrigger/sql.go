package pgtrigger

import (
	"embed"
	"fmt"
	"strings"
	"text/template"
)

//go:embed sql/*.sql
var sqlFiles embed.FS

var templates = template.Must(template.New("").
	Funcs(template.FuncMap{"literal": literal, "body": body}).
	ParseFS(sqlFiles, "sql/*.sql"))

// render fills in the named file of the folder sql.
func render(file string, data any) (string, error) {
	var text strings.Builder
	if err := templates.ExecuteTemplate(&text, file, data); err != nil {
		return "", fmt.Errorf("render %s: %w", file, err)
	}
	return text.String(), nil
}
