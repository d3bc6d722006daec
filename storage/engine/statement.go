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

// Statement is the SQL of a hot use case. It runs on gorm's connection but not through gorm,
// because gorm takes longer to build a statement and to scan its row than SQLite takes to run
// it. Parameters are written ? for both databases.
type Statement struct{ sqlite, postgres string }

// NewStatement returns a Statement for SQL with parameters written ?.
func NewStatement(text string) Statement {
	var numbered strings.Builder
	for i, part := range strings.Split(text, "?") {
		if i > 0 {
			numbered.WriteString("$" + strconv.Itoa(i))
		}
		numbered.WriteString(part)
	}
	return Statement{sqlite: strings.ReplaceAll(text, "?", sqliteParameter), postgres: numbered.String()}
}

func (s Statement) textFor(tx *gorm.DB) string {
	if isPostgres(tx) {
		return s.postgres
	}
	return s.sqlite
}

// Exec runs a write and returns the number of changed rows.
func (s Statement) Exec(tx *gorm.DB, args ...any) (int64, error) {
	result, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, s.textFor(tx), args...)
	if err != nil {
		return 0, s.logFailure(tx, err)
	}
	return result.RowsAffected()
}

// QueryRow scans the first row into the pointers into, usually from Destinations, and reports
// whether there is a row.
func (s Statement) QueryRow(tx *gorm.DB, into []any, args ...any) (found bool, err error) {
	err = s.query(tx, into, func() bool {
		found = true
		return false
	}, args)
	return found && err == nil, err
}

// QueryRows scans each row into the pointers into, and then calls take.
func (s Statement) QueryRows(tx *gorm.DB, into []any, take func(), args ...any) error {
	return s.query(tx, into, func() bool {
		take()
		return true
	}, args)
}

// query scans rows into the pointers into, as long as next wants another one.
func (s Statement) query(tx *gorm.DB, into []any, next func() bool, args []any) error {
	rows, err := tx.Statement.ConnPool.QueryContext(tx.Statement.Context, s.textFor(tx), args...)
	if err != nil {
		return s.logFailure(tx, err)
	}
	for rows.Next() {
		if err = rows.Scan(into...); err != nil || !next() {
			break
		}
	}
	// An error in the middle of a RETURNING is reported only here.
	if err := errors.Join(err, rows.Err(), rows.Close()); err != nil {
		return s.logFailure(tx, err)
	}
	return nil
}

// RequireRow turns a missing row into gorm's error for it.
func RequireRow(found bool, err error) error {
	if err == nil && !found {
		return gorm.ErrRecordNotFound
	}
	return err
}

// logFailure logs a failed statement as gorm would, without its parameters, and returns err.
func (s Statement) logFailure(tx *gorm.DB, err error) error {
	tx.Logger.Trace(tx.Statement.Context, time.Time{}, func() (string, int64) { return s.sqlite, -1 }, err)
	return err
}

// ColumnNames lists the columns of a row type: "id, user_id, …".
func ColumnNames(row any) string { return strings.Join(parseRow(row).DBNames, ", ") }

// ColumnsOf lists the columns with a table alias: "s.id, s.user_id, …".
func ColumnsOf(row any, alias string) string {
	return alias + "." + strings.Join(parseRow(row).DBNames, ", "+alias+".")
}

// Placeholders returns one placeholder for each column of a row type: "?, ?, …".
func Placeholders(row any) string {
	return strings.Repeat("?, ", len(parseRow(row).DBNames)-1) + "?"
}

// Destinations returns pointers for scanning the columns of a row, in the order of ColumnsOf.
func Destinations(row any) []any {
	value, fields := reflect.ValueOf(row).Elem(), fieldsOf(row)
	list := make([]any, len(fields))
	for i, f := range fields {
		pointer := value.FieldByIndex(f.index).Addr().Interface()
		if f.json {
			list[i] = jsonScanner{pointer}
			continue
		}
		switch p := pointer.(type) {
		case *Millis:
			list[i] = (*int64)(p) // database/sql scans this type without reflection
		case *time.Duration:
			list[i] = millisScanner{p}
		default:
			list[i] = p
		}
	}
	return list
}

// Values returns the values of the columns of a row, in the order of ColumnNames.
func Values(row any) ([]any, error) {
	value, fields := reflect.ValueOf(row).Elem(), fieldsOf(row)
	list := make([]any, len(fields))
	for i, f := range fields {
		content := value.FieldByIndex(f.index).Interface()
		if f.json {
			text, err := JSONText(content)
			if err != nil {
				return nil, err
			}
			list[i] = text
			continue
		}
		switch v := content.(type) {
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

// rowField is the field of a row type for one column.
type rowField struct {
	index []int
	json  bool
}

// fieldsOf returns the fields of a row type in the order of its columns.
func fieldsOf(row any) []rowField {
	of := reflect.TypeOf(row)
	if known, ok := fieldsOfRows.Load(of); ok {
		return known.([]rowField)
	}
	var fields []rowField
	s := parseRow(row)
	for _, name := range s.DBNames {
		field := s.FieldsByDBName[name]
		_, json := field.Serializer.(jsonColumn)
		fields = append(fields, rowField{field.StructField.Index, json})
	}
	fieldsOfRows.Store(of, fields)
	return fields
}

var fieldsOfRows sync.Map // by reflect.Type

// jsonScanner scans a jsonColumn.
type jsonScanner struct{ value any }

// Scan implements sql.Scanner.
func (j jsonScanner) Scan(stored any) error {
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

// millisScanner scans a millisColumn.
type millisScanner struct{ value *time.Duration }

// Scan implements sql.Scanner.
func (m millisScanner) Scan(stored any) error {
	millis, ok := stored.(int64)
	if !ok {
		return fmt.Errorf("a column for a duration holds %T", stored)
	}
	*m.value = millisDuration(millis)
	return nil
}

// parseRow returns gorm's description of a row type.
func parseRow(row any) *schema.Schema {
	s, err := schema.Parse(row, &parsedRows, schema.NamingStrategy{})
	if err != nil {
		panic(err) // the row type is invalid: a mistake in this program
	}
	return s
}

var parsedRows sync.Map
