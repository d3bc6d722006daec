package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// Statement is the SQL of a hot use case. It goes to the driver as it stands, on
// gorm's connection but past gorm itself, which takes longer to put a statement
// together and to scan its row than SQLite takes to run it. Parameters are
// written ? for both databases.
type Statement struct{ sqlite, postgres string }

// NewStatement makes a statement of SQL whose parameters are written ?.
func NewStatement(text string) Statement {
	var numbered strings.Builder
	for i, part := range strings.Split(text, "?") {
		if i > 0 {
			numbered.WriteString("$" + strconv.Itoa(i))
		}
		numbered.WriteString(part)
	}
	return Statement{sqlite: text, postgres: numbered.String()}
}

func (s Statement) on(tx *gorm.DB) string {
	if isPostgres(tx) {
		return s.postgres
	}
	return s.sqlite
}

// Exec runs a write and gives the number of rows it hit.
func (s Statement) Exec(tx *gorm.DB, args ...any) (int64, error) {
	result, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, s.on(tx), args...)
	if err != nil {
		return 0, s.failed(tx, err)
	}
	return result.RowsAffected()
}

// QueryRow reads the first row into its Destinations, and reports whether there is one.
func (s Statement) QueryRow(tx *gorm.DB, into []any, args ...any) (bool, error) {
	rows, err := tx.Statement.ConnPool.QueryContext(tx.Statement.Context, s.on(tx), args...)
	if err != nil {
		return false, s.failed(tx, err)
	}
	found := rows.Next()
	if found {
		err = rows.Scan(into...)
	}
	// A failure in the middle of a RETURNING shows itself only here.
	if err := errors.Join(err, rows.Err(), rows.Close()); err != nil {
		return false, s.failed(tx, err)
	}
	return found, nil
}

// RequireRow turns a row that is not there into gorm's error for it.
func RequireRow(found bool, err error) error {
	if err == nil && !found {
		return gorm.ErrRecordNotFound
	}
	return err
}

// failed logs a statement as gorm would, never its parameters.
func (s Statement) failed(tx *gorm.DB, err error) error {
	tx.Logger.Trace(tx.Statement.Context, time.Time{}, func() (string, int64) { return s.sqlite, -1 }, err)
	return err
}

// ColumnNames lists the columns of a row type: "id, user_id, …".
func ColumnNames(row any) string { return strings.Join(parsed(row).DBNames, ", ") }

// ColumnsOf lists them under a table alias: "s.id, s.user_id, …".
func ColumnsOf(row any, alias string) string {
	return alias + "." + strings.Join(parsed(row).DBNames, ", "+alias+".")
}

// Placeholders are as many as a row type has columns: "?, ?, …".
func Placeholders(row any) string {
	return strings.Repeat("?, ", len(parsed(row).DBNames)-1) + "?"
}

// Destinations gives where the columns of a row go, in the order of ColumnsOf.
func Destinations(row any) []any {
	value, fields := reflect.ValueOf(row).Elem(), fieldsOf(row)
	list := make([]any, len(fields))
	for i, f := range fields {
		pointer := value.FieldByIndex(f.index).Addr().Interface()
		if f.json {
			list[i] = jsonInto{pointer}
			continue
		}
		switch p := pointer.(type) {
		case *Millis:
			list[i] = (*int64)(p) // what database/sql scans without reflection
		case *time.Duration:
			list[i] = millisInto{p}
		default:
			list[i] = p
		}
	}
	return list
}

// Values gives what the columns of a row hold, in the order of ColumnNames.
func Values(row any) ([]any, error) {
	value, fields := reflect.ValueOf(row).Elem(), fieldsOf(row)
	list := make([]any, len(fields))
	for i, f := range fields {
		held := value.FieldByIndex(f.index).Interface()
		if f.json {
			text, err := JSONText(held)
			if err != nil {
				return nil, err
			}
			list[i] = text
			continue
		}
		switch v := held.(type) {
		case Millis:
			list[i] = int64(v)
		case time.Duration:
			list[i] = durationMillis(v)
		default:
			list[i] = v
		}
	}
	return list, nil
}

// rowField is where a column of a row type is kept.
type rowField struct {
	index []int
	json  bool
}

// fieldsOf gives the fields of a row type in the order of its columns.
func fieldsOf(row any) []rowField {
	of := reflect.TypeOf(row)
	if known, ok := fieldsOfRows.Load(of); ok {
		return known.([]rowField)
	}
	var fields []rowField
	s := parsed(row)
	for _, name := range s.DBNames {
		field := s.FieldsByDBName[name]
		_, json := field.Serializer.(jsonColumn)
		fields = append(fields, rowField{field.StructField.Index, json})
	}
	fieldsOfRows.Store(of, fields)
	return fields
}

var fieldsOfRows sync.Map // by reflect.Type

// jsonInto scans a jsonColumn.
type jsonInto struct{ value any }

// Scan implements sql.Scanner.
func (j jsonInto) Scan(stored any) error {
	var text []byte
	switch v := stored.(type) {
	case string:
		text = []byte(v)
	case []byte:
		text = v
	default:
		return fmt.Errorf("a JSON column holds %T", stored)
	}
	if len(text) == 0 {
		return nil
	}
	return json.Unmarshal(text, j.value)
}

// millisInto scans a millisColumn.
type millisInto struct{ value *time.Duration }

// Scan implements sql.Scanner.
func (m millisInto) Scan(stored any) error {
	millis, ok := stored.(int64)
	if !ok {
		return fmt.Errorf("a duration's column holds %T", stored)
	}
	*m.value = millisDuration(millis)
	return nil
}

// parsed gives gorm's reading of a row type.
func parsed(row any) *schema.Schema {
	s, err := schema.Parse(row, &parsedRows, schema.NamingStrategy{})
	if err != nil {
		panic(err) // a row type of ours: a programmer's mistake
	}
	return s
}

var parsedRows sync.Map
